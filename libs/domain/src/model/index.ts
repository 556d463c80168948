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
export { affectedBy, cyclesFrom, identityOf, scopeOf } from "./graph.ts";
export type { Graphs } from "./graph.ts";
export { approvalSurvives, rebase, sameRevision } from "./rebase.ts";
export type { Conflict, Rebased, Resolution } from "./rebase.ts";
export { BUILT_IN_ENTITIES, checkChanges, checkCycles, checkDelete, checkEntity } from "./check.ts";
export type { SpecCheck } from "./check.ts";
export { BUILT_IN_KINDS } from "./built-in-kinds.ts";
export { canonicalJson, equalJson, isArray, isObject } from "./json.ts";
export type { JsonObject, JsonValue } from "./json.ts";
export { changesTo, differenceOf, differences } from "./difference.ts";
export type { Difference, DifferenceKind } from "./difference.ts";
export { decodeChange, digestOf, encodeChange, hashOf } from "./change-set.ts";
export type { Change, ChangeSet } from "./change-set.ts";
export { fieldPath, parseReferencePath, valuesAt } from "./path.ts";
export type { ReferencePath } from "./path.ts";
export { finding } from "./finding.ts";
export type { Finding } from "./finding.ts";
export { mergeThree } from "./merge.ts";
export type { FieldConflict, Merged, Resolve, Side } from "./merge.ts";
export { OrderedMap } from "./ordered-map.ts";
export type { MapEdit } from "./ordered-map.ts";
export { parseSpec, utf8Length } from "./spec.ts";
export type { ParsedSpec, SpecNote, SpecRefusal } from "./spec.ts";
export { referencesOf } from "./references.ts";
export { sameReferences } from "./kind.ts";
export type { Flow, Kind, KindReference, KindRule, Kinds, Reference } from "./kind.ts";
export { SPEC_BYTES_MAX, SPEC_DEPTH_MAX } from "./limits.ts";
export {
  applyChanges,
  emptyState,
  entityOf,
  kindOf,
  parseReferences,
  referrersOf,
  replaceEntities,
  withKinds,
} from "./state.ts";
export type { EntityState, ModelState, StateChange } from "./state.ts";
