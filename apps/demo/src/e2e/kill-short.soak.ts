/** B-kill's shortest: one death of each kind. All of them are in kill.soak.ts. */
import { killSuite } from "./kill-suite.ts";
import { outagesNamed } from "./outages.ts";

killSuite(
  "B-kill: one death of each kind while the rules change in mid-stream",
  outagesNamed([
    "I2: the registry dies at registry.promote.after",
    "I2, I11: the driving coordinator dies at commit.promote.after",
    "I1, I11: conductor-worker dies at conductor.prepare.after",
    "I8, R5: an ingress dies at lane.append.after:8",
    "I6, I8: the runtime dies at runtime.append.after:8",
    "I9: node 1 of etcd is dead for a while",
    "I9: node 2 of cassandra is dead for a while",
    "I9: node 1 of nats is dead for a while",
  ]),
);
