/** A proposal is withdrawn by whoever may: the registry's compare-and-swap grants it, or says that it is too late (I2). */
import type { WithdrawProposalRequest } from "@greco/contracts/greco/commit/v1/commit";
import { abortedFrom, encodeProposal, outcomeOf, step } from "@greco/domain/commit";
import { auditOperation } from "@greco/control-kit";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { modelName, proposalName } from "../names.ts";
import { relayed } from "../relay.ts";
import type { StoredProposal } from "../store/proposal-store.ts";
import { toProposal, type ProposalInit } from "../wire/proposal.ts";
import { existing, shown } from "./proposals.ts";

export async function withdrawProposal(
  coordinator: Coordinator,
  request: WithdrawProposalRequest,
  context: CallContext,
): Promise<ProposalInit> {
  const { parts, driver } = coordinator;
  const { signal, caller } = context;
  for (;;) {
    const stored = await existing(coordinator, request.name, signal);
    refuseIfTooLate(stored);
    const { model, id, proposal, revision } = stored;
    const event = { type: "withdrawn", by: caller.subject, reason: request.reason } as const;
    const { state } = step(proposal, event, { limits: parts.limits, nowMs: parts.clock.nowMs() });
    if (state.phase !== "aborting")
      throw new Error(`a proposal that is ${proposal.phase} cannot be withdrawn`);
    const { decidedNow } = await parts.registry
      .discard(
        {
          parent: modelName(model),
          candidate: id,
          reason: request.reason,
          actor: caller.subject,
          proposalRecord: encodeProposal(abortedFrom(state)).record,
          proposalRevision: BigInt(revision),
        },
        { signal },
      )
      .catch((error: unknown) => {
        throw relayed(error);
      });
    // Decided by another, or the record has moved: what stands now says which.
    if (!decidedNow) continue;
    await audit(coordinator, stored, request, context);
    const withdrawn = await existing(coordinator, request.name, signal);
    driver.noticed(withdrawn);
    return toProposal(await shown(coordinator, withdrawn, signal));
  }
}

function refuseIfTooLate({ model, id, proposal }: StoredProposal): void {
  const name = proposalName(model, id);
  const refuse = (reason: string, description: string): never => {
    throw fault.precondition(reason, description, [{ type: reason, subject: name, description }]);
  };
  const outcome = outcomeOf(proposal);
  if (outcome?.committed === true)
    refuse("ALREADY_COMMITTED", `${name} is committed as version ${outcome.version}: roll back instead`);
  if (outcome?.committed === false) {
    const { cause, by } = outcome.abort;
    if (cause === "withdrawn") refuse("ALREADY_WITHDRAWN", `${name} was withdrawn already, by ${by}`);
    refuse("ALREADY_ABORTED", `${name} was aborted already: ${cause}: ${outcome.abort.message}`);
  }
  const { origin } = proposal.facts;
  if (origin.kind === "revert")
    refuse(
      "REVERT_IS_OWED",
      `${name} takes back ${origin.of}, which was not confirmed: it cannot be withdrawn; deregister the conductor that keeps it from committing`,
    );
}

/** The registry's record tells of the discard, in its transaction; this one of the call. */
async function audit(
  { parts }: Coordinator,
  { model, id }: StoredProposal,
  { reason }: WithdrawProposalRequest,
  { caller, method, signal }: CallContext,
): Promise<void> {
  const { store, clock, ids } = parts;
  const operation = auditOperation(model, ids.next(), {
    timeMs: clock.nowMs(),
    actor: caller.subject,
    resource: proposalName(model, id),
    outcome: "withdrawn",
    ...{ method, reason },
  });
  await store.transact({ compare: [], then: [operation] }, signal);
}
