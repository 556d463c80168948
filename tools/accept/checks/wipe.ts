import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-wipe",
  "NATS killed and wiped at each thing that conductors are told in a commit: the commit ends after it is back",
  ["apps/demo/src/e2e/wipe.engine.ts"],
);
