/** Kinds are data: what an entity's spec may be, what it refers to, and what that means for the graph. */
import type { EntityKey, KindId } from "./ids.ts";
import { type JsonObject, type JsonValue } from "./json.ts";
import { parseReferencePath, type ReferencePath } from "./path.ts";

/**
 * What a reference means: `uses` (no data flows), `reads` (data flows from the other entity into this one),
 * `writes` (from this one into the other).
 */
export type Flow = "uses" | "reads" | "writes";

export type KindReference = { readonly path: string; readonly kind: KindId; readonly flow: Flow };
export type KindRule = { readonly id: string; readonly expression: string; readonly message: string };

export type Kind = {
  readonly id: KindId;
  readonly displayName: string;
  /** JSON Schema of the spec. */
  readonly schema: JsonObject;
  readonly rules: readonly KindRule[];
  readonly references: readonly KindReference[];
  /** An entity of this kind is a set of lanes. */
  readonly stream: boolean;
  /** No conductor needs to claim entities of this kind. */
  readonly unclaimedAllowed: boolean;
  readonly builtIn: boolean;
};

/** All kinds of a model, by id. A change gives another map. */
export type Kinds = ReadonlyMap<string, Kind>;

/** One reference of an entity. */
export type Reference = { readonly target: EntityKey; readonly flow: Flow; readonly path: string };

const compiled = new WeakMap<KindReference, ReferencePath>();

/** The steps of a kind's reference; its path was checked when the kind was made. */
export function stepsOf(reference: KindReference): ReferencePath {
  const known = compiled.get(reference);
  if (known !== undefined) return known;
  const steps = parseReferencePath(reference.path);
  if (steps === undefined) throw new Error(`kind with an unchecked reference path: ${reference.path}`);
  compiled.set(reference, steps);
  return steps;
}

/** Whether two kinds make the same edges of the same specs. */
export function sameReferences(a: Kind | undefined, b: Kind | undefined): boolean {
  const text = (kind: Kind | undefined): string =>
    JSON.stringify(
      (kind?.references ?? []).map(({ path, kind: target, flow }): JsonValue => [path, target, flow]),
    );
  return text(a) === text(b);
}
