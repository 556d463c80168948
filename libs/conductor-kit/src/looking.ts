/**
 * What is in force at the newest epoch, for a conductor that looks at its region: its own bindings as the ledger
 * names them, with their contents and the model of that version.
 *
 * What a proposal has prepared, or takes back, is left out: until it is settled, what stands outside need not be as
 * the epoch says, and must not be made so (K5).
 */
import type { BindingRef } from "@greco/domain/epoch";
import { parseEntityIdentity, type EntityKey } from "@greco/domain/model";
import { BindingMissingError, createBindingReader } from "@greco/lane-kit";
import type { InForce } from "./conductor.ts";
import type { JournalState } from "./journal.ts";
import type { Session } from "./session.ts";

export type Standing = {
  readonly inForce: InForce;
  /** Named by the ledger, and not in the data plane; whose they are cannot be told. */
  readonly lost: readonly BindingRef[];
  /** Left out. */
  readonly changing: readonly EntityKey[];
};

/** Contents that are read side by side. */
const READS = 50;

/** `only`: of these entities. */
export async function standing(
  { context, chain, journal, ledger }: Session,
  signal: AbortSignal,
  only?: ReadonlySet<EntityKey>,
): Promise<Standing> {
  const { bindingStore, conductor, kinds, model } = context;
  const version = await ledger.refresh(signal);
  const view = (await chain.at(version, signal)) ?? (await chain.older(version, signal));
  const busy = changedBy(journal);
  const refs = [...ledger.index.bindingsAt(version).values()].filter(({ entity }) => {
    const { key, kind } = parseEntityIdentity(entity);
    return kinds.has(kind) && only?.has(key) !== false;
  });
  const isBusy = ({ entity }: BindingRef): boolean => busy.has(parseEntityIdentity(entity).key);
  const still = refs.filter((ref) => !isBusy(ref));
  const reader = createBindingReader({ bindingStore, model });
  const bindings: InForce["bindings"][number][] = [];
  const lost: BindingRef[] = [];
  const read = async (ref: BindingRef): Promise<void> => {
    try {
      const content = await reader.content(ref, signal);
      const { entity, candidate } = ref;
      if (conductor.owns?.(content) !== false) bindings.push({ entity, candidate, content });
    } catch (error) {
      if (!(error instanceof BindingMissingError)) throw error;
      lost.push(ref);
    }
  };
  for (let at = 0; at < still.length; at += READS) await Promise.all(still.slice(at, at + READS).map(read));
  const changing = refs.filter(isBusy).map(({ entity }) => parseEntityIdentity(entity).key);
  return { inForce: { model, version, view, bindings }, lost, changing };
}

/** Entities that this conductor has prepared for a proposal which is not settled, or takes back. */
function changedBy({ candidates }: JournalState): ReadonlySet<EntityKey> {
  const keys = new Set<EntityKey>();
  for (const each of candidates.values()) {
    if (each.phase === "undoing") for (const key of each.claims) keys.add(key);
    if (each.phase === "preparing" || each.phase === "ready" || each.phase === "failed")
      for (const key of each.accept.claims) keys.add(key);
  }
  return keys;
}

/** Whether what was in force is so no more, or is being changed. */
export function hasMoved({ journal, ledger }: Session, { version }: InForce, key: EntityKey): boolean {
  if (changedBy(journal).has(key)) return true;
  const { index, newest } = ledger;
  if (newest === version) return false;
  const now = index.identityAt(newest, key);
  return now === undefined || index.changesOf(now).some((epoch) => epoch > version);
}
