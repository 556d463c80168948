export type { JetStreamControlLogOptions } from "./control-log.ts";
export { openJetStreamControlLog } from "./control-log.ts";
export type { NatsCredentials, NatsOptions } from "./link.ts";
export { openNatsWake } from "./wake.ts";
