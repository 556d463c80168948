/**
 * B-kill: the compensation job on three nodes of etcd, one of NATS, three of Cassandra, each app its own process. In
 * turn everything is killed with -9 and brought back, at each phase of a commit, and the rules change in mid-stream
 * each time; at the end the checker looks at every row of the whole run.
 */
import { killSuite } from "./kill-suite.ts";
import { outages } from "./outages.ts";

killSuite("B-kill: killed with -9 and brought back while the rules change in mid-stream", outages);
