import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-apart",
  "control plane and etcd down, then a Cassandra node, for a minute each: flights are taken and paid, a new runtime starts",
  ["apps/demo/src/e2e/apart-short.soak.ts", "apps/demo/src/e2e/apart.soak.ts"],
);
