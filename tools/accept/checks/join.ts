import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "A-join",
  "a team's own kind and conductor join by a proposal, vote, veto, and are deregistered",
  ["apps/demo/src/e2e/join.e2e.ts"],
);
