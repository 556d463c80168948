/** Make it so, and its kin the rollback: a candidate with its proposal, durable before it is answered (§4.1). */
import type { MakeItSoRequest, RollbackRequest } from "@greco/contracts/greco/commit/v1/commit";
import { encodeProposal, type Origin, type Proposal, type ProposalFacts } from "@greco/domain/commit";
import { epoch, type ModelId } from "@greco/domain/model";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { toFacts } from "../driver/candidates.ts";
import { childOf, modelName, modelOf, proposalName } from "../names.ts";
import { relayed } from "../relay.ts";
import { readSlot } from "../store/slot.ts";
import { toProposal, type ProposalInit } from "../wire/proposal.ts";
import { toMs } from "../wire/time.ts";
import { rejectEarly } from "./confirm.ts";
import { shown } from "./proposals.ts";

type Wanted = {
  readonly model: ModelId;
  readonly origin: Origin & { readonly kind: "draft" | "rollback" };
  readonly request: Pick<MakeItSoRequest, "reason" | "confirmWithin" | "requestId" | "validateOnly">;
};

export async function makeItSo(
  coordinator: Coordinator,
  request: MakeItSoRequest,
  context: CallContext,
): Promise<ProposalInit> {
  const { model, id } = childOf(request.draft);
  await refuseWhileArmed(coordinator, model, context.signal);
  return await propose(
    coordinator,
    { model, origin: { kind: "draft", draft: id, etag: request.etag }, request },
    context,
  );
}

/** To the base of a commit that waits for its confirmation: that is its revert, sooner. */
export async function rollback(
  coordinator: Coordinator,
  request: RollbackRequest,
  context: CallContext,
): Promise<ProposalInit> {
  const model = modelOf(request.model);
  const toVersion = epoch(Number(request.toVersion));
  const reverted = request.validateOnly
    ? undefined
    : await rejectEarly(coordinator, { model, toVersion, reason: request.reason }, context);
  if (reverted !== undefined) return reverted;
  await refuseWhileArmed(coordinator, model, context.signal);
  return await propose(coordinator, { model, origin: { kind: "rollback", toVersion }, request }, context);
}

async function refuseWhileArmed({ parts }: Coordinator, model: ModelId, signal: AbortSignal): Promise<void> {
  const { record } = await readSlot(parts.store, model, signal);
  const armed = record?.armed === true ? record.proposal : record?.reverts;
  if (armed === undefined) return;
  const name = proposalName(model, armed);
  const description =
    record?.armed === true
      ? `${name} waits for its confirmation, or for its revert: confirm it, or roll it back, before anything else`
      : `${name} was not confirmed and is being reverted: wait for the end of ${record?.proposal}`;
  throw fault.precondition("CONFIRMATION_PENDING", description, [
    { type: "CONFIRMATION_PENDING", subject: name, description },
  ]);
}

async function propose(
  coordinator: Coordinator,
  { model, origin, request }: Wanted,
  { signal, caller }: CallContext,
): Promise<ProposalInit> {
  const { parts, proposals, driver } = coordinator;
  const { registry, clock, ids, limits, failpoint } = parts;
  const facts: ProposalFacts = {
    proposal: ids.next(),
    actor: caller.subject,
    reason: request.reason,
    createdAtMs: clock.nowMs(),
    confirmWithinMs: confirmWithinOf(coordinator, request),
    ...{ model, origin },
  };
  const queued: Proposal = { phase: "queued", facts, deadline: { remainingMs: limits.queueMs } };
  const frozen = await registry
    .freeze(
      {
        parent: modelName(model),
        source:
          origin.kind === "draft"
            ? { case: "draft", value: `${modelName(model)}/drafts/${origin.draft}` }
            : { case: "restoreVersion", value: BigInt(origin.toVersion) },
        etag: origin.kind === "draft" ? origin.etag : "",
        proposalRecord: encodeProposal(queued).record,
        proposalId: facts.proposal,
        requestId: request.requestId,
        validateOnly: request.validateOnly,
        ...{ actor: facts.actor, reason: facts.reason },
      },
      { signal },
    )
    .catch((error: unknown) => {
      throw relayed(error);
    });
  const { candidate } = frozen;
  if (candidate === undefined) throw new Error("the registry froze it, and told no candidate");
  if (request.validateOnly) return validated(queued, toFacts(candidate));
  await failpoint("commit.freeze.after");
  // A repeat of the request gets the first answer: the proposal that it made.
  const stored = await proposals.read(model, candidate.proposalId, signal);
  if (stored === undefined)
    throw new Error(`the registry froze ${candidate.id}, and its proposal is not there`);
  driver.noticed(stored);
  return toProposal(shown(coordinator, stored));
}

/** What it would be; it has no name, because it is not. */
function validated(queued: Proposal, { digest, base, scope }: ReturnType<typeof toFacts>): ProposalInit {
  const proposal = toProposal({ proposal: queued, revision: 0, queuePosition: 0 });
  return {
    ...proposal,
    name: "",
    candidate: "",
    etag: "",
    digest,
    baseVersion: BigInt(base),
    scope: [...scope],
  };
}

function confirmWithinOf({ parts }: Coordinator, { confirmWithin }: Wanted["request"]): number | undefined {
  const ms = toMs(confirmWithin);
  const { confirmWithinMaxMs } = parts.limits;
  if (ms === undefined || (ms > 0 && ms <= confirmWithinMaxMs)) return ms;
  const description = `must be above 0 and at most ${confirmWithinMaxMs / 3_600_000} hours: so long the model takes no other proposal`;
  throw fault.invalid("INVALID_CONFIRM_WITHIN", `confirm_within ${description}`, [
    { field: "confirm_within", description },
  ]);
}
