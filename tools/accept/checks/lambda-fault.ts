import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "C-fault",
  "each fault at each call of each change of a query on AWS Lambda, and kill -9 of its conductor there: ready or aborted, nothing left, nobody else's touched",
  ["apps/demo/src/e2e/lambda-faults.soak.ts"],
);
