/** Make it so, and its kin the rollback: a candidate with its proposal, durable before it is answered (§4.1). */
import type { MakeItSoRequest, RollbackRequest } from "@greco/contracts/greco/commit/v1/commit";
import type { FreezeResponse } from "@greco/contracts/greco/registry/v1/registry";
import { encodeProposal, type Origin, type Proposal, type ProposalFacts } from "@greco/domain/commit";
import { epoch, type ModelId } from "@greco/domain/model";
import { fault, type CallContext } from "@greco/service-kit";
import { currentTrace } from "@greco/telemetry";
import type { Coordinator } from "../coordinator.ts";
import { toFacts, type CandidateContent } from "../driver/candidates.ts";
import { childOf, modelName, modelOf, proposalName } from "../names.ts";
import { relayed } from "../relay.ts";
import { readSlot } from "../store/slot.ts";
import { toProposal, type ProposalInit } from "../wire/proposal.ts";
import { toMs } from "../wire/time.ts";
import { rejectEarly } from "./confirm.ts";
import { asked, firstAnswer, type Asked } from "./first-answer.ts";
import { shown } from "./proposals.ts";

type Wanted = {
  readonly model: ModelId;
  readonly origin: Origin & { readonly kind: "draft" | "rollback" };
  readonly request: Pick<MakeItSoRequest, "reason" | "confirmWithin" | "requestId" | "validateOnly">;
};

/** A repeat of the whole request is the same one; with another reason, or another way back, it is not. */
function askedBy({ caller }: CallContext, { model, origin, request }: Wanted): Asked {
  const { reason, confirmWithin, requestId } = request;
  return asked(model, requestId, ["make-it-so", caller.subject, origin, reason, toMs(confirmWithin) ?? 0]);
}

export async function makeItSo(
  coordinator: Coordinator,
  request: MakeItSoRequest,
  context: CallContext,
): Promise<ProposalInit> {
  const { model, id } = childOf(request.draft);
  if (request.etag === "") {
    const description = "is required: read the draft and send its etag";
    throw fault.invalid("ETAG_REQUIRED", `etag ${description}`, [{ field: "etag", description }]);
  }
  const wanted: Wanted = { model, origin: { kind: "draft", draft: id, etag: request.etag }, request };
  return (
    (await refuseWhileArmed(coordinator, wanted, context)) ?? (await propose(coordinator, wanted, context))
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
  const wanted: Wanted = { model, origin: { kind: "rollback", toVersion }, request };
  const rejected = { model, toVersion, reason: request.reason, request: askedBy(context, wanted) };
  const reverted = request.validateOnly ? undefined : await rejectEarly(coordinator, rejected, context);
  if (reverted !== undefined) return reverted;
  return (
    (await refuseWhileArmed(coordinator, wanted, context)) ?? (await propose(coordinator, wanted, context))
  );
}

/** Defined: it is a repeat, and this its first answer; the commit that the model waits for may be its own. */
async function refuseWhileArmed(
  coordinator: Coordinator,
  wanted: Wanted,
  context: CallContext,
): Promise<ProposalInit | undefined> {
  const { model, request } = wanted;
  const { record } = await readSlot(coordinator.parts.store, model, context.signal);
  const armed = record?.armed === true ? record.proposal : record?.reverts;
  if (armed === undefined) return undefined;
  const first = request.validateOnly
    ? undefined
    : await firstAnswer(coordinator, askedBy(context, wanted), context.signal);
  if (first !== undefined) return toProposal(await shown(coordinator, first, context.signal));
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
  wanted: Wanted,
  context: CallContext,
): Promise<ProposalInit> {
  const { model, origin, request } = wanted;
  const { signal, caller } = context;
  const { parts, proposals, driver } = coordinator;
  const { registry, clock, ids, limits, failpoint } = parts;
  const facts: ProposalFacts = {
    proposal: ids.next(),
    actor: caller.subject,
    reason: request.reason,
    createdAtMs: clock.nowMs(),
    confirmWithinMs: confirmWithinOf(coordinator, request),
    ...{ model, origin },
    ...carried(currentTrace()),
  };
  const queued: Proposal = { phase: "queued", facts, deadline: { remainingMs: limits.queueMs } };
  // The watch tells the driver of the proposal as soon as it is there: its content comes with this answer.
  const tell = request.validateOnly ? () => undefined : driver.candidates.expect(model, facts.proposal);
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
        requestFingerprint: askedBy(context, wanted).fingerprint,
        validateOnly: request.validateOnly,
        ...{ actor: facts.actor, reason: facts.reason },
      },
      { signal },
    )
    .catch((error: unknown) => {
      tell(undefined);
      throw relayed(error);
    });
  tell(contentOf(frozen, facts.proposal));
  const { candidate } = frozen;
  if (candidate === undefined) throw new Error("the registry froze it, and told no candidate");
  if (request.validateOnly) return validated(queued, toFacts(candidate));
  await failpoint("commit.freeze.after");
  // The driver has mostly begun before this answer came.
  const runner = driver.runner(model, facts.proposal);
  if (runner !== undefined && runner.revision > 0)
    return toProposal({
      proposal: runner.shownRemaining(),
      revision: runner.revision,
      queuePosition: driver.position(model, facts.proposal),
    });
  // A repeat of the request gets the first answer: the proposal that it made.
  const stored = await proposals.read(model, candidate.proposalId, signal);
  if (stored === undefined)
    throw new Error(`the registry froze ${candidate.id}, and its proposal is not there`);
  driver.noticed(stored);
  return toProposal(await shown(coordinator, stored, signal));
}

const carried = (trace: string | undefined) => (trace === undefined ? {} : { trace });

/** Undefined: it is the answer to a repeat, or too large for one message. */
function contentOf(
  { candidate, created, changes }: FreezeResponse,
  id: string,
): CandidateContent | undefined {
  if (candidate?.id !== id || !created || candidate.extentPartial) return undefined;
  return changes.length === Number(candidate.changeCount) ? { candidate, changes } : undefined;
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
