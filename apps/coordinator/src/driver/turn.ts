/**
 * The turn of a queued proposal (§4.1): what its voters are frozen from, read in one go. The transaction that
 * takes the slot compares all of it, so that what was read is what is frozen.
 */
import { freezeVoters, type CommitEvent, type Queued, type VoterPolicy } from "@greco/domain/commit";
import { conductorId, epoch, type ConductorId, type Epoch } from "@greco/domain/model";
import { keys, type Registrations } from "@greco/control-kit";
import type { Compare } from "@greco/ports";
import { fromBytes } from "../json.ts";
import type { Parts } from "../parts.ts";
import {
  putRegistrations,
  readConductor,
  readRegistrations,
  unchanged,
  without,
  type Stored,
} from "../store/conductor-store.ts";
import { readSlot, type Slot } from "../store/slot.ts";
import { affectedKinds, claimableOf, toFacts, type Candidates } from "./candidates.ts";

export type Turn = {
  readonly event: CommitEvent & { readonly type: "turn" };
  readonly slot: Slot;
  /** What must still be so when the slot is taken. */
  readonly compare: readonly Compare[];
};

/** Who was to join is not registered any more. */
export type Gone = { readonly gone: ConductorId };

/**
 * What the last turn of the model has read. It may be out of date: the transaction that takes the slot compares it,
 * and who loses the comparison forgets it and reads.
 */
export type TurnMemory = {
  known: { readonly registrations: Stored<Registrations>; readonly policy: Stored<VoterPolicy> } | undefined;
};

const FREE: Slot = { record: undefined, revision: 0 };

/** Undefined: the slot is another's. `abandoned`: whether the proposal that holds it is over. */
export async function readTurn(
  parts: Parts,
  candidates: Candidates,
  { facts }: Queued,
  abandoned: (proposal: string) => Promise<boolean>,
  memory: TurnMemory,
  signal: AbortSignal,
): Promise<Turn | Gone | undefined> {
  const { store } = parts;
  const { model, proposal, origin } = facts;
  const known = origin.kind === "draft" || origin.kind === "rollback" ? memory.known : undefined;
  const [slot, head, registrations, policy, { candidate }] = await Promise.all([
    known === undefined ? readSlot(store, model, signal) : FREE,
    readHead(parts, model, signal),
    known?.registrations ?? readRegistrations(store, model, signal),
    known?.policy ?? readPolicy(parts, model, signal),
    candidates.get(model, proposal, signal),
  ]);
  const holder = slot.record?.proposal;
  const heir = origin.kind === "revert" && holder === origin.of;
  if (holder !== undefined && !heir && !(await abandoned(holder))) return undefined;
  const joining = origin.kind === "join" ? origin.conductor : undefined;
  const standing =
    joining === undefined ? registrations : await enlist(parts, model, joining, registrations, slot, signal);
  if (standing === undefined) return joining === undefined ? undefined : { gone: joining };
  memory.known = { registrations: standing, policy };
  const active = standing.value.active.map(({ conductor, kinds }) => ({
    conductor: conductorId(conductor),
    kinds,
  }));
  return {
    slot,
    compare: [
      unchanged(keys.registrations(model), standing.revision),
      unchanged(keys.head(model), head.revision),
      unchanged(keys.model(model), policy.revision),
    ],
    event: {
      type: "turn",
      head: head.value,
      frozen: { candidate: toFacts(candidate), registrationsRevision: standing.revision },
      voters: freezeVoters(policy.value, active, affectedKinds(candidate), joining),
      claimable: claimableOf(candidate),
    },
  };
}

async function readHead({ store }: Parts, model: string, signal: AbortSignal): Promise<Stored<Epoch>> {
  const { entries } = await store.range({ key: keys.head(model) }, { limit: 1 }, signal);
  const entry = entries[0];
  if (entry === undefined) return { value: epoch(0), revision: 0 };
  return {
    value: epoch((fromBytes(entry.value) as { version: number }).version),
    revision: entry.modRevision,
  };
}

/** Of the model's record, which is the registry's to write: read beside the rest, it costs no call. */
async function readPolicy(
  { store }: Parts,
  model: string,
  signal: AbortSignal,
): Promise<Stored<VoterPolicy>> {
  const { entries } = await store.range({ key: keys.model(model) }, { limit: 1 }, signal);
  const record = entries[0] === undefined ? undefined : fromBytes(entries[0].value);
  const { voters } = (record ?? {}) as { readonly voters?: VoterPolicy };
  return { value: voters === "affected" ? "affected" : "all", revision: entries[0]?.modRevision ?? 0 };
}

/**
 * Promote makes a join count by moving it from `joining` to `active`, so it has to stand there first. Only while
 * nobody has the slot: a change of the registrations would cost whoever prepares its promote. Undefined: it was
 * deregistered while it waited.
 */
async function enlist(
  { store }: Parts,
  model: string,
  conductor: ConductorId,
  registrations: Stored<Registrations>,
  slot: Slot,
  signal: AbortSignal,
): Promise<Stored<Registrations> | undefined> {
  if (registrations.value.joining.some((each) => each.conductor === conductor)) return registrations;
  const record = await readConductor(store, model, conductor, signal);
  if (record === undefined || record.value.deregistered !== undefined) return undefined;
  const others = without(registrations.value, conductor);
  const joining = { conductor, kinds: record.value.kinds, sinceVersion: 0 };
  const next: Registrations = { active: others.active, joining: [...others.joining, joining] };
  const { succeeded, revision } = await store.transact(
    {
      compare: [
        unchanged(keys.registrations(model), registrations.revision),
        unchanged(keys.slot(model), slot.revision),
        unchanged(keys.conductor(model, conductor), record.revision),
      ],
      then: [putRegistrations(model, next)],
    },
    signal,
  );
  // Overtaken: the comparison behind the turn sees it, and the turn comes again.
  return succeeded ? { value: next, revision } : registrations;
}
