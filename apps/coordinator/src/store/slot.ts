/** Who prepares now (§4): one key a model, taken and given back by compare-and-swap, in the proposal's own transactions. */
import type { Proposal } from "@greco/domain/commit";
import { keys } from "@greco/control-kit";
import type { Compare, CpStore, Operation } from "@greco/ports";
import { fromBytes, toBytes } from "../json.ts";

export type SlotRecord = {
  readonly proposal: string;
  /** A commit that waits for its confirmation: the model takes no other proposal. */
  readonly armed: boolean;
  /** The armed proposal that this one reverts, and hands the slot back to when it is aborted. */
  readonly reverts?: string;
};

/** Undefined record: it is free; revision 0 then. */
export type Slot = { readonly record: SlotRecord | undefined; readonly revision: number };

export async function readSlot(store: CpStore, model: string, signal: AbortSignal): Promise<Slot> {
  const { entries } = await store.range({ key: keys.slot(model) }, { limit: 1 }, signal);
  const entry = entries[0];
  if (entry === undefined) return { record: undefined, revision: 0 };
  return { record: fromBytes(entry.value) as SlotRecord, revision: entry.modRevision };
}

type SlotChange = { readonly compare: readonly Compare[]; readonly then: readonly Operation[] };

export function takeSlot({ facts }: Proposal, slot: Slot): SlotChange {
  const { proposal, origin } = facts;
  const record: SlotRecord = {
    proposal,
    armed: false,
    ...(origin.kind === "revert" ? { reverts: origin.of } : {}),
  };
  return change(facts.model, slot, { type: "put", key: keys.slot(facts.model), value: toBytes(record) });
}

export function armSlot({ facts }: Proposal, slot: Slot): SlotChange {
  if (slot.record?.proposal !== facts.proposal) return nothing;
  const record: SlotRecord = { ...slot.record, armed: true };
  return change(facts.model, slot, { type: "put", key: keys.slot(facts.model), value: toBytes(record) });
}

/** Frees it, or hands it back; nothing if it is another's by now. */
export function releaseSlot(state: Proposal, slot: Slot): SlotChange {
  const { model, proposal, origin } = state.facts;
  if (slot.record?.proposal !== proposal) return nothing;
  const key = keys.slot(model);
  if (origin.kind !== "revert" || !wasAborted(state))
    return change(model, slot, { type: "delete", range: { key } });
  const record: SlotRecord = { proposal: origin.of, armed: true };
  return change(model, slot, { type: "put", key, value: toBytes(record) });
}

const nothing: SlotChange = { compare: [], then: [] };

function change(model: string, slot: Slot, operation: Operation): SlotChange {
  const compare: Compare = { key: keys.slot(model), target: "modRevision", is: "=", value: slot.revision };
  return { compare: [compare], then: [operation] };
}

function wasAborted(state: Proposal): boolean {
  return state.phase === "aborted" || (state.phase === "settled" && !state.outcome.committed);
}
