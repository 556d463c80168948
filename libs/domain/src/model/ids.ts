/**
 * Identifiers and resource names of the control plane (DESIGN §1). A name is checked once, where it
 * enters; behind that the branded types say that it was.
 */

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** `[a-z0-9-]{1,63}` */
export type ModelId = Branded<string, "ModelId">;
export type KindId = Branded<string, "KindId">;
export type EntityName = Branded<string, "EntityName">;
export type CandidateId = Branded<string, "CandidateId">;
export type ConductorId = Branded<string, "ConductorId">;
/** A committed version of a model, which is also its epoch. 0: nothing committed yet. */
export type Epoch = Branded<number, "Epoch">;
/** `kind/name@created-version`: deleted and made again, it is another entity. */
export type EntityIdentity = Branded<string, "EntityIdentity">;

const SEGMENT = /^[a-z0-9-]{1,63}$/;

/** Whether `text` may stand between two slashes of a resource name. */
export function isSegment(text: string): boolean {
  return SEGMENT.test(text);
}

/** Thrown for an id that is not one; the edge turns it into INVALID_ARGUMENT (I15). */
export class InvalidIdError extends Error {
  readonly what: string;
  readonly value: string;
  constructor(what: string, value: string) {
    super(`${what} must match [a-z0-9-]{1,63}; got ${JSON.stringify(value.slice(0, 80))}`);
    this.name = "InvalidIdError";
    this.what = what;
    this.value = value;
  }
}

function segment<T>(what: string, value: string): T {
  if (!isSegment(value)) throw new InvalidIdError(what, value);
  return value as T;
}

export const modelId = (value: string): ModelId => segment("model id", value);
export const kindId = (value: string): KindId => segment("kind id", value);
export const entityName = (value: string): EntityName => segment("entity name", value);
export const conductorId = (value: string): ConductorId => segment("conductor id", value);
export const candidateId = (value: string): CandidateId => segment("candidate id", value);

/** A non-negative safe integer as an epoch. */
export function epoch(value: number): Epoch {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an epoch: ${value}`);
  return value as Epoch;
}

/** `query/late-flights`: the key of an entity within its model. */
export type EntityKey = Branded<string, "EntityKey">;

export function entityKey(kind: string, name: string): EntityKey {
  return `${kindId(kind)}/${entityName(name)}` as EntityKey;
}

/** `models/m/entities/query/x` → its parts, or undefined when it is not such a name. */
export function parseEntityResource(
  resource: string,
): { model: ModelId; kind: KindId; name: EntityName } | undefined {
  const match = /^models\/([a-z0-9-]{1,63})\/entities\/([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})$/.exec(resource);
  if (match === null) return undefined;
  return { model: match[1] as ModelId, kind: match[2] as KindId, name: match[3] as EntityName };
}

export function entityResource(model: ModelId, key: EntityKey): string {
  return `models/${model}/entities/${key}`;
}

export function entityIdentity(key: EntityKey, createdVersion: number): EntityIdentity {
  return `${key}@${createdVersion}` as EntityIdentity;
}

/** `stream/flights@3` → its parts. */
export function parseEntityIdentity(identity: EntityIdentity): {
  kind: KindId;
  name: EntityName;
  key: EntityKey;
  createdVersion: number;
} {
  const match = /^([a-z0-9-]{1,63})\/([a-z0-9-]{1,63})@(\d{1,15})$/.exec(identity);
  if (match === null) throw new InvalidIdError("entity identity", identity);
  return {
    kind: match[1] as KindId,
    name: match[2] as EntityName,
    key: `${match[1]}/${match[2]}` as EntityKey,
    createdVersion: Number(match[3]),
  };
}

/** The built-in stream of dead letters, in the scope of every epoch; written by runtimes only. */
export const DEAD_LETTERS_STREAM = "stream/dead-letters@0" as EntityIdentity;

/** The built-in stream in the scope of every epoch; it holds only markers. */
export const EPOCHS_STREAM = "stream/epochs@0" as EntityIdentity;
