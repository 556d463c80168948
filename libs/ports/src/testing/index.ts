export { cpStoreContract } from "./cp-store.contract.ts";
export { laneStoreContract } from "./lane-store.contract.ts";
export type { Harness, Setup } from "./harness.ts";
