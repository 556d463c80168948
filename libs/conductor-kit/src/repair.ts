/**
 * Cold boot, as far as conductors go: a runtime misses a binding that the ledger names, and who made it makes it
 * again, from the model as it was at its candidate's version. Best effort: who is not helped asks again.
 *
 * - R6: only what has the hash that the ledger names is written.
 * - I13: what nothing needs behind the floor was retired, or is about to be: it does not come back.
 * - K1, K4: under the locks of the A; nothing is created outside that is not pinned already, so that the journal
 *   need not be told, and nobody has to clean up behind a crash.
 */
import type { Binding, BindingRef } from "@greco/domain/epoch";
import {
  hashOf,
  parseEntityIdentity,
  type CandidateId,
  type EntityIdentity,
  type EntityKey,
  type Epoch,
} from "@greco/domain/model";
import { BindingMissingError, createBindingReader } from "@greco/lane-kit";
import { readCandidate } from "./candidates.ts";
import type { Affected, NewBinding } from "./conductor.ts";
import { Flows } from "./flows.ts";
import { pinnedBy } from "./journal.ts";
import { Look, Seen } from "./needs.ts";
import { claimedOf, writeBindings } from "./preparing.ts";
import type { Session } from "./session.ts";
import { boundsOf } from "./superseded.ts";
import { outside } from "./undoing.ts";

export type MissingBinding = { readonly entity: EntityIdentity; readonly candidate: CandidateId };

/** A missing one, with what the ledger says of it. */
type Lost = BindingRef & { readonly from: Epoch; readonly until: Epoch | undefined };

/** Rejects when the binding store fails; what cannot be made again of one candidate does not hold others up. */
export async function repair(
  session: Session,
  missing: readonly MissingBinding[],
  signal: AbortSignal,
): Promise<void> {
  const lost = new Map<CandidateId, Lost[]>();
  for (const each of missing) {
    const known = await lostOf(session, each, signal);
    if (known === undefined) continue;
    const others = lost.get(known.candidate);
    if (others === undefined) lost.set(known.candidate, [known]);
    else others.push(known);
  }
  for (const [candidate, all] of lost)
    try {
      await repairAll(session, candidate, all, signal);
    } catch (error) {
      signal.throwIfAborted();
      session.context.log.warn("conductor.repair-failed", { candidate, bindings: all.length, error });
    }
}

/** Undefined: not of this conductor's kinds, not in the ledger (yet), or not lost. */
async function lostOf(
  { context, ledger }: Session,
  { entity, candidate }: MissingBinding,
  signal: AbortSignal,
): Promise<Lost | undefined> {
  if (!context.kinds.has(parseEntityIdentity(entity).kind)) return undefined;
  const changes = ledger.index.changesOf(entity);
  const at = changes.findIndex((each) => ledger.index.bindingAt(each, entity)?.candidate === candidate);
  const from = changes[at];
  const ref = from === undefined ? undefined : ledger.index.bindingAt(from, entity);
  if (from === undefined || ref === undefined) {
    context.log.debug("conductor.repair-unknown", { entity, candidate });
    return undefined;
  }
  const row = await context.bindingStore.getBinding(context.model, entity, candidate, signal);
  return isRight(row, ref) ? undefined : { ...ref, from, until: changes[at + 1] };
}

const isRight = (row: Binding | undefined, { hash }: BindingRef): boolean =>
  row !== undefined && hashOf(row.content) === hash;

async function repairAll(
  session: Session,
  candidate: CandidateId,
  all: readonly Lost[],
  signal: AbortSignal,
): Promise<void> {
  const { context, chain, locks } = session;
  const { base, changes } = await readCandidate(context, candidate, signal);
  const before = await chain.older(base, signal);
  const after = before.with(changes);
  const keys = all.map(({ entity }) => parseEntityIdentity(entity).key);
  const claimed = claimedOf(keys, changes, { before, after }).filter(
    (each) => each.after !== undefined && isTaken(session, each, all),
  );
  if (claimed.length === 0) return;
  using held = new DisposableStack();
  held.use(
    await locks.acquire(
      claimed.map((each) => each.key),
      signal,
    ),
  );
  const intend = async (objects: readonly string[]): Promise<void> => {
    held.use(await locks.acquire(outside(objects), signal));
    for (const object of outside(objects)) mustBePinned(session, object);
  };
  const { conductor, model } = context;
  const made = await conductor.prepare(
    { model, candidate, claimed, before, after, intend, again: true },
    signal,
  );
  const rows: Binding[] = [];
  for (const binding of made) {
    const ref = all.find(({ entity }) => entity === binding.entity);
    if (ref !== undefined && (await isToBeWritten(session, ref, binding, signal)))
      rows.push({ model, entity: ref.entity, candidate, hash: ref.hash, content: binding.content });
  }
  await writeBindings(context, rows, signal);
  for (const { entity } of rows) context.log.info("conductor.repaired", { entity, candidate });
  if (rows.length > 0) session.repaired = true;
}

const isTaken = ({ context }: Session, each: Affected, all: readonly Lost[]): boolean =>
  all.some(({ entity }) => entity === each.identity) && context.conductor.takes?.(each) !== false;

/** K1, K4 */
function mustBePinned({ journal }: Session, object: string): void {
  if (pinnedBy(journal, object).length === 0)
    throw new Error(`${object} is not kept by any binding: a repair makes nothing outside that nobody keeps`);
}

async function isToBeWritten(
  session: Session,
  ref: Lost,
  { content }: NewBinding,
  signal: AbortSignal,
): Promise<boolean> {
  const { bindingStore, log, model } = session.context;
  const { entity, candidate, hash } = ref;
  // R6
  if (hashOf(content) !== hash) {
    log.error("conductor.repair-differs", { entity, candidate, hash, made: hashOf(content) });
    return false;
  }
  if (await isRetired(session, ref, content, signal)) {
    log.debug("conductor.repair-retired", { entity, candidate });
    return false;
  }
  const row = await bindingStore.getBinding(model, entity, candidate, signal);
  if (isRight(row, ref)) return false;
  // What stands there is not what the ledger names, and nobody can run it.
  if (row !== undefined) await bindingStore.deleteBinding(model, entity, candidate, signal);
  return true;
}

/** I13: retire removes what lies behind the floor once no lane needs it, as far as that can be told. */
async function isRetired(
  { context, ledger }: Session,
  { entity, candidate, from, until }: Lost,
  content: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { bindingStore, conductor, laneStore, model } = context;
  if (until === undefined || until > (await laneStore.readFloor(model, signal))) return false;
  const sources = { laneStore, ledger, bindings: createBindingReader({ bindingStore, model }) };
  const flows = new Flows(sources);
  let inputs: readonly EntityKey[] | undefined;
  try {
    inputs = await conductor.inputsOf?.({ entity, content }, () => flows.in(from, until, signal));
  } catch (error) {
    if (error instanceof BindingMissingError) return false;
    throw error;
  }
  const bounds = boundsOf(ledger.index, { entity, candidate, from, until }, inputs);
  const look = await Look.take(sources, new Seen(), signal);
  for (const [stream, below] of bounds)
    if ((await look.need(stream, from, below, signal)) !== undefined) return false;
  return true;
}
