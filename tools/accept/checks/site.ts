import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-site",
  "two Cassandra data centres cut from each other: each goes on with its own lanes, afterwards both see the same (long)",
  ["apps/demo/src/e2e/sites.soak.ts"],
);
