export type { EtcdOptions } from "./cp-store.ts";
export { openEtcdCpStore } from "./cp-store.ts";
export type { EtcdAuthority } from "./hosts.ts";
export type { EtcdLimits } from "./limits.ts";
export { ETCD_LIMITS } from "./limits.ts";
