import { suiteCheck } from "../suites.ts";

export const check = suiteCheck("A-contract", "each port's contract suite on the embedded adapter", [
  "libs/adapters/embedded",
  "libs/adapters/worker",
]);
