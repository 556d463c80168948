/**
 * A query's program at an epoch: its own binding with those of the tables that it looks up. A query is changed by an
 * epoch when its program is, so a table's new content changes every query that reads it (I6).
 */
import type { EntityIdentity, Epoch } from "../model/ids.ts";
import { entityKey } from "../model/ids.ts";
import type { BindingRef, EpochIndex } from "./epoch-index.ts";

export type ProgramBindings = {
  readonly query: BindingRef;
  /** By the table's name. */
  readonly tables: Readonly<Record<string, BindingRef>>;
  /** The same text is the same program; its sha-256 is the program's id. */
  readonly hashes: string;
};

/**
 * The bindings that make the query's program at `epoch`; `tables` are those that its content names. "missing" where
 * one of them has no binding there: a committed model does not do that, so whoever sees it holds (I12).
 */
export function programAt(
  index: EpochIndex,
  epoch: Epoch,
  query: EntityIdentity,
  tables: readonly string[],
): ProgramBindings | { readonly missing: string } | undefined {
  const binding = index.bindingAt(epoch, query);
  if (binding === undefined) return undefined;
  const found: Record<string, BindingRef> = {};
  for (const name of tables.toSorted()) {
    const key = entityKey("table", name);
    const entity = index.identityAt(epoch, key);
    const table = entity === undefined ? undefined : index.bindingAt(epoch, entity);
    if (table === undefined) return { missing: key };
    found[name] = table;
  }
  const lines = Object.entries(found).map(([name, table]) => `${name}=${table.hash}`);
  return { query: binding, tables: found, hashes: [binding.hash, ...lines].join("\n") };
}
