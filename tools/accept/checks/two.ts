import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-two",
  "two of each service on a cluster, one of each pair killed: the other goes on, how soon in leases",
  ["apps/demo/src/e2e/two.soak.ts"],
);
