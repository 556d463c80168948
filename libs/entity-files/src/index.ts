export { EntityFileError, formatEntity, readEntities, writeEntity } from "./entity-file.ts";
export type { EntityFile } from "./entity-file.ts";
