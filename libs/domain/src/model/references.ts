/** Which other entities a spec names, by its kind's typed references. */
import { isSegment, type EntityKey } from "./ids.ts";
import type { JsonObject } from "./json.ts";
import { stepsOf, type Kind, type Reference } from "./kind.ts";
import { valuesAt } from "./path.ts";

export type References = {
  readonly references: readonly Reference[];
  /** Texts at a reference's place that are no entity name. */
  readonly invalid: readonly { readonly path: string; readonly value: string }[];
};

/** A value that is no text is left to the kind's schema. */
export function referencesOf(kind: Kind, spec: JsonObject): References {
  const references: Reference[] = [];
  const invalid: { path: string; value: string }[] = [];
  for (const reference of kind.references) {
    for (const { path, value } of valuesAt(spec, stepsOf(reference))) {
      if (typeof value !== "string") continue;
      if (isSegment(value))
        references.push({ target: `${reference.kind}/${value}` as EntityKey, flow: reference.flow, path });
      else invalid.push({ path, value });
    }
  }
  return { references, invalid };
}
