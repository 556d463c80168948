export { startConductorTables } from "./start.ts";
export { createTablesConductor } from "./conductor.ts";
export type { TablesDependencies } from "./conductor.ts";
