/**
 * A commit that waits for its confirmation is confirmed, or rejected before its time is up. The compare-and-swap
 * of its record decides, once, between all who try: these, and the timer of whoever drives.
 */
import type { ConfirmProposalRequest } from "@greco/contracts/greco/commit/v1/commit";
import { encodeProposal, outcomeOf, step, type CommitEvent } from "@greco/domain/commit";
import { auditOperation, keys } from "@greco/control-kit";
import type { Epoch, ModelId } from "@greco/domain/model";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { noteOwed } from "../driver/owed.ts";
import { proposalName } from "../names.ts";
import { unchanged } from "../store/conductor-store.ts";
import { closed, type StoredProposal } from "../store/proposal-store.ts";
import { readSlot, releaseSlot } from "../store/slot.ts";
import { toProposal, type ProposalInit } from "../wire/proposal.ts";
import { firstAnswer, remembering, type Asked } from "./first-answer.ts";
import { existing, shown } from "./proposals.ts";

export async function confirmProposal(
  coordinator: Coordinator,
  { name }: ConfirmProposalRequest,
  context: CallContext,
): Promise<ProposalInit> {
  for (;;) {
    const stored = await existing(coordinator, name, context.signal);
    refuseUnlessArmed(stored);
    const event = { type: "confirmed", by: context.caller.subject } as const;
    const confirmed = await decide(coordinator, stored, event, { outcome: "confirmed", reason: "" }, context);
    if (confirmed !== undefined) return toProposal(await shown(coordinator, confirmed, context.signal));
  }
}

type Rejected = {
  readonly model: ModelId;
  readonly toVersion: Epoch;
  readonly reason: string;
  readonly request: Asked;
};

/**
 * The revert that the timer would have begun, or what this request got before; undefined: the model does not
 * wait, or not to go there.
 */
export async function rejectEarly(
  coordinator: Coordinator,
  { model, toVersion, reason, request }: Rejected,
  context: CallContext,
): Promise<ProposalInit | undefined> {
  const { parts, proposals } = coordinator;
  const { signal } = context;
  for (;;) {
    const first = await firstAnswer(coordinator, request, signal);
    if (first !== undefined) return toProposal(await shown(coordinator, first, signal));
    const { record } = await readSlot(parts.store, model, signal);
    if (record?.armed !== true) return undefined;
    const stored = await proposals.read(model, record.proposal, signal);
    if (stored?.proposal.phase !== "marked" || stored.proposal.confirmation?.state !== "armed")
      return undefined;
    if (stored.proposal.frozen.candidate.base !== toVersion) return undefined;
    const rejected = await decide(
      coordinator,
      stored,
      { type: "rejected" },
      { outcome: "rejected", reason },
      context,
      remembering(parts, request, stored.id),
    );
    if (rejected !== undefined) return toProposal(await shown(coordinator, rejected, signal));
  }
}

/** Undefined: another was faster. */
async function decide(
  { parts, proposals, driver }: Coordinator,
  { model, id, proposal, revision }: StoredProposal,
  event: CommitEvent,
  { outcome, reason }: { readonly outcome: string; readonly reason: string },
  { signal, caller, method }: CallContext,
  also: ReturnType<typeof remembering> = { compare: [], then: [] },
): Promise<StoredProposal | undefined> {
  const { store, clock, ids, limits, failpoint } = parts;
  const { state, effects } = step(proposal, event, {
    limits,
    nowMs: clock.nowMs(),
    freshId: ids.next(),
  });
  const persist = effects.find((effect) => effect.type === "persist");
  if (state === proposal || persist === undefined) return undefined;
  const slot =
    persist.slot === "release"
      ? releaseSlot(state, await readSlot(store, model, signal))
      : { compare: [], then: [] };
  await failpoint("commit.confirm.before");
  const key = keys.proposal(model, id);
  const { succeeded } = await store.transact(
    {
      compare: [unchanged(key, revision), ...slot.compare, ...also.compare],
      then: [
        { type: "put", key, value: encodeProposal(state).record },
        ...slot.then,
        ...noteOwed(state),
        ...closed(state),
        ...also.then,
        auditOperation(model, ids.next(), {
          timeMs: clock.nowMs(),
          actor: caller.subject,
          resource: proposalName(model, id),
          ...{ method, outcome, reason },
        }),
      ],
    },
    signal,
  );
  if (!succeeded) return undefined;
  await failpoint("commit.confirm.after");
  const decided = await proposals.read(model, id, signal);
  if (decided !== undefined) driver.noticed(decided);
  return decided;
}

function refuseUnlessArmed({ model, id, proposal }: StoredProposal): void {
  const name = proposalName(model, id);
  const refuse = (reason: string, description: string): never => {
    throw fault.precondition(reason, description, [{ type: reason, subject: name, description }]);
  };
  const outcome = outcomeOf(proposal);
  if (outcome === undefined)
    refuse(
      "NOT_COMMITTED",
      `${name} is ${proposal.phase}: there is nothing to confirm before it is committed`,
    );
  if (outcome?.committed === false)
    refuse("ALREADY_ABORTED", `${name} was aborted: ${outcome.abort.cause}: ${outcome.abort.message}`);
  if (outcome?.committed !== true) return;
  switch (outcome.confirmation?.state) {
    case "armed":
      return;
    case undefined:
      return refuse(
        "NOT_ARMED",
        `${name} was made so without confirm_within: it stands, and waits for nothing`,
      );
    case "confirmed":
      return refuse("ALREADY_CONFIRMED", `${name} was confirmed already, by ${outcome.confirmation.by}`);
    case "reverting":
    case "reverted":
      return refuse(
        "ALREADY_REVERTED",
        `${name} was not confirmed in time, and ${proposalName(model, outcome.confirmation.proposal)} takes it back: make it so again`,
      );
  }
}
