export { Region, RegionConductor, WatchfulConductor } from "./region.ts";
export { preparationOf, reviewOf } from "./requests.ts";
export type { Change, Specs } from "./requests.ts";
export { failsOnceAt, model, Rig, until } from "./rig.ts";
export type { RigOptions } from "./rig.ts";
export { ScriptedControl } from "./scripted-control.ts";
export type { Proposal, ProposalOptions } from "./scripted-control.ts";
export { temporaryFolder } from "./temporary-folder.ts";
