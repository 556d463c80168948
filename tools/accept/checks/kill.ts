import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "A-kill",
  "kill -9 at each phase of a commit and in mid-stream, restart: decided, nothing lost, checker green",
  ["apps/demo/src/e2e/kill.e2e.ts"],
);
