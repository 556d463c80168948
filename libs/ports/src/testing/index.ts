export { bindingStoreContract } from "./binding-store.contract.ts";
export { functionHostContract } from "./function-host.contract.ts";
export type { FunctionHostSetup } from "./function-host.contract.ts";
export { controlLogContract } from "./control-log.contract.ts";
export { cpStoreContract } from "./cp-store.contract.ts";
export type { Harness, Setup } from "./harness.ts";
export { forSeeds } from "./harness.ts";
export { laneStoreContract } from "./lane-store.contract.ts";
export { wakeContract } from "./wake.contract.ts";
