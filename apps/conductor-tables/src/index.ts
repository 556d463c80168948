export { startConductorTables } from "./start.ts";
export { tablesConductor } from "./conductor.ts";
