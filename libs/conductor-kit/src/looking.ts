/**
 * What stands outside, for a conductor that looks at its region: its own bindings as the newest epoch names them, with
 * their contents and the model of that version; and those of older epochs that are not retired yet.
 *
 * What a proposal has prepared, or takes back, is left out: until it is settled, what stands outside need not be as
 * the epoch says, and must not be made so (K5).
 */
import type { BindingRef } from "@greco/domain/epoch";
import { parseEntityIdentity, type EntityIdentity, type EntityKey } from "@greco/domain/model";
import { BindingMissingError, createBindingReader } from "@greco/lane-kit";
import type { InForce, StandingBinding } from "./conductor.ts";
import { bindingObject, type JournalState } from "./journal.ts";
import type { Session } from "./session.ts";
import type { Superseded } from "./superseded.ts";
import type { View } from "./view.ts";

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
  session: Session,
  signal: AbortSignal,
  only?: ReadonlySet<EntityKey>,
): Promise<Standing> {
  const { context, chain, journal, ledger } = session;
  const { bindingStore, conductor, kinds, model } = context;
  const version = await ledger.refresh(signal);
  const view = (await chain.at(version, signal)) ?? (await chain.older(version, signal));
  const busy = changedBy(journal);
  const isAsked = ({ entity }: { readonly entity: EntityIdentity }): boolean => {
    const { key, kind } = parseEntityIdentity(entity);
    return kinds.has(kind) && only?.has(key) !== false;
  };
  const refs = [...ledger.index.bindingsAt(version).values()].filter(isAsked);
  const isBusy = ({ entity }: { readonly entity: EntityIdentity }): boolean =>
    busy.has(parseEntityIdentity(entity).key);
  const still = refs.filter((ref) => !isBusy(ref));
  const reader = createBindingReader({ bindingStore, model });
  const bindings: StandingBinding[] = [];
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
  // What stands on nothing outside, or whose retire a former process has all but done, has nothing to be looked at.
  const stands = ({ entity, candidate }: Superseded): boolean =>
    journal.uses.has(bindingObject(entity, candidate));
  const older = session.superseded().filter((each) => isAsked(each) && !isBusy(each) && stands(each));
  const superseded = await readOlder(session, older, signal);
  return { inForce: { model, version, view, bindings, superseded }, lost, changing };
}

/** Those of them that are this conductor's. What is not there was retired meanwhile. */
async function readOlder(
  { context, chain }: Session,
  all: readonly Superseded[],
  signal: AbortSignal,
): Promise<InForce["superseded"]> {
  const { bindingStore, conductor, model } = context;
  const found: InForce["superseded"][number][] = [];
  const read = async ({ entity, candidate, from }: Superseded): Promise<void> => {
    const row = await bindingStore.getBinding(model, entity, candidate, signal);
    if (row === undefined || conductor.owns?.(row.content) === false) return;
    const view = (over: AbortSignal): Promise<View> => chain.older(from, over);
    found.push({ entity, candidate, content: row.content, version: from, view });
  };
  for (let at = 0; at < all.length; at += READS) await Promise.all(all.slice(at, at + READS).map(read));
  return found.toSorted((one, other) => other.version - one.version);
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

/** Whether what was in force is so no more, or is being changed, or something older of it is being retired. */
export function hasMoved(session: Session, { version, superseded }: InForce, key: EntityKey): boolean {
  const { journal, ledger } = session;
  if (changedBy(journal).has(key)) return true;
  const left = new Set(session.superseded().map((each) => bindingObject(each.entity, each.candidate)));
  const isOfKey = ({ entity }: StandingBinding): boolean => parseEntityIdentity(entity).key === key;
  if (superseded.some((each) => isOfKey(each) && !left.has(bindingObject(each.entity, each.candidate))))
    return true;
  const { index, newest } = ledger;
  if (newest === version) return false;
  const now = index.identityAt(newest, key);
  return now === undefined || index.changesOf(now).some((epoch) => epoch > version);
}
