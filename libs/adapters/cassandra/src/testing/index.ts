export type { Keyspace } from "./setup.ts";
export { realClock, silentLog, testKeyspace } from "./setup.ts";
