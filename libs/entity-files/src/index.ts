export {
  EntityFileError,
  entityFilesIn,
  formatEntity,
  parseEntities,
  readEntities,
  writeEntity,
} from "./entity-file.ts";
export type { EntityFile } from "./entity-file.ts";
