/** What a change set touches: affected entities and scope (DESIGN §4.1), computed once, when it is frozen. */
import {
  affectedBy,
  differenceOf,
  parseEntityIdentity,
  scopeOf,
  type DifferenceKind,
  type EntityIdentity,
  type EntityKey,
  type Graphs,
  type Kinds,
  kindOf,
} from "@greco/domain/model";
import { CorruptContentError } from "../store/chunked.ts";

export type Affected = {
  readonly entity: EntityKey;
  readonly createdVersion: number;
  /** Undefined: it does not change itself. */
  readonly change: DifferenceKind | undefined;
  readonly claimRequired: boolean;
};

export type Extent = { readonly affected: readonly Affected[]; readonly scope: readonly EntityIdentity[] };

export function extentOf(graphs: Graphs, changed: readonly string[], kinds: Kinds): Extent {
  const keys = affectedBy(graphs, changed);
  const own = new Set(changed);
  const affected = keys.flatMap((entity): Affected[] => {
    const before = graphs.before.entities.get(entity);
    const after = graphs.after.entities.get(entity);
    const state = after ?? before;
    if (state === undefined) return [];
    const change = own.has(entity) ? (differenceOf(entity, before, after)?.kind ?? "update") : undefined;
    const claimRequired = kinds.get(kindOf(entity))?.unclaimedAllowed !== true;
    return [{ entity, createdVersion: state.createdVersion, change, claimRequired }];
  });
  return { affected, scope: scopeOf(graphs, changed, keys, kinds) };
}

/** `a query/late-flights@3 update claim`, `s stream/flights@1` */
export function* encodeExtent({ affected, scope }: Extent): Generator<string, void, undefined> {
  for (const { entity, createdVersion, change, claimRequired } of affected)
    yield `a ${entity}@${createdVersion} ${change ?? "-"} ${claimRequired ? "claim" : "-"}\n`;
  for (const identity of scope) yield `s ${identity}\n`;
}

export async function decodeExtent(lines: AsyncIterable<string>): Promise<Extent> {
  const affected: Affected[] = [];
  const scope: EntityIdentity[] = [];
  for await (const line of lines) {
    const [type, identity, change, claim] = line.split(" ");
    if (identity === undefined)
      throw new CorruptContentError(`an extent holds the line ${line.slice(0, 80)}`);
    if (type === "s") scope.push(identity as EntityIdentity);
    else {
      const { key, createdVersion } = parseEntityIdentity(identity as EntityIdentity);
      affected.push({
        entity: key,
        createdVersion,
        change: change === "-" ? undefined : (change as DifferenceKind),
        claimRequired: claim === "claim",
      });
    }
  }
  return { affected, scope };
}
