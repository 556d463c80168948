import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-kill",
  "every service at each phase, nodes of etcd and Cassandra, and NATS killed with -9 on a cluster: checker green (long)",
  ["apps/demo/src/e2e/kill.soak.ts"],
);
