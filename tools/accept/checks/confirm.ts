import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "A-confirm",
  "confirmed commit: confirmed, expired, coordinator killed meanwhile",
  ["apps/demo/src/e2e/confirm.e2e.ts"],
);
