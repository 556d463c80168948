/** Which other entities a spec names, by its kind's typed references. */
import { isSegment, type EntityKey, type KindId } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import { stepsOf, type Flow, type Kind, type Reference } from "./kind.ts";
import { valuesAt } from "./path.ts";

/** What stands at a reference's place: an entity's name, or a text that is none. */
export type Named = {
  readonly path: string;
  readonly kind: KindId;
  readonly flow: Flow;
  readonly name: string;
};

/** A value that is no text is left to the kind's schema. */
export function* namesIn(kind: Kind, spec: JsonObject): Generator<Named, undefined> {
  for (const reference of kind.references)
    for (const { path, value } of valuesAt(spec, stepsOf(reference)))
      if (typeof value === "string") yield { path, kind: reference.kind, flow: reference.flow, name: value };
}

export function referencesOf(kind: Kind, spec: JsonObject): readonly Reference[] {
  const references: Reference[] = [];
  for (const { path, kind: target, flow, name } of namesIn(kind, spec))
    if (isSegment(name)) references.push({ target: `${target}/${name}` as EntityKey, flow, path });
  return references;
}
