export { openEmbeddedBindingStore } from "./binding-store.ts";
export { openEmbeddedControlLog } from "./control-log.ts";
export type { EmbeddedOptions } from "./cp-store.ts";
export { openEmbeddedCpStore } from "./cp-store.ts";
export { openEmbeddedLaneStore } from "./lane-store.ts";
export { createEmbeddedWake } from "./wake.ts";
