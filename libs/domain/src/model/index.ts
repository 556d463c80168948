export {
  candidateId,
  conductorId,
  DEAD_LETTERS_STREAM,
  entityIdentity,
  entityKey,
  entityName,
  entityResource,
  epoch,
  EPOCHS_STREAM,
  InvalidIdError,
  isSegment,
  kindId,
  modelId,
  parseEntityIdentity,
  parseEntityResource,
} from "./ids.ts";
export type {
  CandidateId,
  ConductorId,
  EntityIdentity,
  EntityKey,
  EntityName,
  Epoch,
  KindId,
  ModelId,
} from "./ids.ts";
export { invariant, InvariantError } from "./invariant.ts";
