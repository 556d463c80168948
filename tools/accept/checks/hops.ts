import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "A-hops",
  "two queries in a row, changed alone and together while messages flow",
  ["apps/demo/src/e2e/hops.e2e.ts"],
);
