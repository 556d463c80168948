import { suiteCheck } from "../suites.ts";

export const check = suiteCheck("A-bad", "bad input: a precise status each, no effect, no crash", [
  "apps/demo/src/e2e/bad.e2e.ts",
  "apps/demo/src/e2e/votes.e2e.ts",
]);
