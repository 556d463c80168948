import { suiteCheck } from "../suites.ts";

export const check = suiteCheck("A-takeover", "a runtime dies; one sleeps for three leases and wakes", [
  "apps/demo/src/e2e/takeover.e2e.ts",
]);
