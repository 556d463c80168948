/** Small random models of streams, queries and tables for property tests, and changes of them. */
import fc from "fast-check";
import { BUILT_IN_KINDS } from "../model/built-in-kinds.ts";
import type { Change } from "../model/change-set.ts";
import { canonicalJson } from "../model/json.ts";
import type { Kinds } from "../model/kind.ts";
import { OrderedMap } from "../model/ordered-map.ts";
import { applyChanges, emptyState, type ModelState } from "../model/state.ts";

export const builtInKinds: Kinds = new Map(BUILT_IN_KINDS.map((kind) => [kind.id, kind]));

export const put = (spec: object): Change => ({
  action: "put",
  specJson: canonicalJson(JSON.parse(JSON.stringify(spec)) as never),
});
export const remove: Change = { action: "delete" };
export const stream: Change = put({ schema: true });
export const query = (from: string, to: string, ...tables: string[]): Change =>
  put({ from, to, tables, select: { x: "1" } });

export type Lines = Readonly<Record<string, Change>>;

export function modelOf(...versions: readonly Lines[]): ModelState {
  return versions.reduce(
    (state, lines) => applyChanges(state, Object.entries(lines), state.version + 1, builtInKinds),
    emptyState(),
  );
}

const name = fc.constantFrom("a", "b", "c", "d");

const line: fc.Arbitrary<readonly [string, Change]> = fc.oneof(
  fc.tuple(
    name.map((text) => `stream/${text}`),
    fc.oneof(
      { weight: 3, arbitrary: fc.nat(2).map((lanes) => put({ schema: true, lanes })) },
      { weight: 1, arbitrary: fc.constant(remove) },
    ),
  ),
  fc.tuple(
    name.map((text) => `query/${text}`),
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .tuple(name, name, fc.uniqueArray(name, { maxLength: 2 }))
          .map(([from, to, tables]) => query(from, to, ...tables)),
      },
      { weight: 1, arbitrary: fc.constant(remove) },
    ),
  ),
);

/** Change sets of a chain of versions. */
export const versionsOf = (max: number): fc.Arbitrary<readonly OrderedMap<Change>[]> =>
  fc.array(
    fc.array(line, { maxLength: 6 }).map((lines) => OrderedMap.of(lines)),
    { maxLength: max },
  );

export function fold(versions: readonly OrderedMap<Change>[]): ModelState {
  return versions.reduce(
    (state, changes) => applyChanges(state, changes.entries(), state.version + 1, builtInKinds),
    emptyState(),
  );
}
