/** `greco plan` (§3): every conductor reviews the draft, and nothing changes anywhere. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  PlanRequest,
  PlanResponseSchema,
  VoterStatusSchema,
} from "@greco/contracts/greco/commit/v1/commit";
import {
  Severity,
  VoterPolicy as WirePolicy,
  type Change,
  type Finding,
} from "@greco/contracts/greco/model/v1/model";
import type { Candidate } from "@greco/contracts/greco/registry/v1/registry";
import { freezeVoters, unheard, type Candidacy, type Voter } from "@greco/domain/commit";
import { conductorId, type ConductorId } from "@greco/domain/model";
import type { CallContext } from "@greco/service-kit";
import { ask, timeoutOf } from "../asking/ask.ts";
import type { Coordinator } from "../coordinator.ts";
import { affectedKinds, merged } from "../driver/candidates.ts";
import { childOf, conductorName, modelName } from "../names.ts";
import { relayed } from "../relay.ts";
import { readRegistrations } from "../store/conductor-store.ts";
import { toDuration } from "../wire/time.ts";
import { byRisk, fromVoter } from "../wire/votes.ts";
import { claimFindings } from "./claim-findings.ts";
import type { PlanAnswer } from "./plans.ts";

type Part = MessageInitShape<typeof PlanResponseSchema>;
type Preview = { readonly candidate: Candidate; readonly changes: Change[]; readonly findings: Finding[] };

export async function* plan(
  coordinator: Coordinator,
  request: PlanRequest,
  { signal }: CallContext,
): AsyncGenerator<Part, void, undefined> {
  const { plans, parts } = coordinator;
  const { model } = childOf(request.draft);
  const { planTimeoutMs: defaultMs, planTimeoutMaxMs: maxMs } = parts.limits;
  const timeoutMs = timeoutOf(request.timeout, { defaultMs, maxMs });
  const preview = await previewOf(coordinator, request, signal);
  const { candidate, changes, findings } = preview;
  const wrong = findings.some((each) => each.severity === Severity.ERROR);
  // What freeze would refuse is not worth a conductor's opinion.
  const candidacies = wrong ? [] : await askedOf(coordinator, model, candidate, signal);
  const asked = new Set(candidacies.map((each) => each.conductor));
  yield header(request, preview, asked);
  using open = plans.open(model, asked);
  const value = { candidate, changes, planOnly: true, remaining: toDuration(timeoutMs) };
  const asking = { model, open, command: { case: "review" as const, value }, timeoutMs };
  const voters: Voter[] = [];
  for await (const answer of ask(coordinator, asking, signal)) {
    const voter = voterOf(answer);
    voters.push(voter);
    yield { part: { case: "conductor", value: statusOf(voter) } };
  }
  for await (const difference of differences(coordinator, request, signal))
    yield { part: { case: "difference", value: difference } };
  const problems = wrong ? [] : claimFindings(candidate, candidacies, voters);
  const silent = open.silent().map(conductorName);
  const vetoed = voters.some((voter) => voter.vote.stage === "vetoed");
  const acceptable = !wrong && !vetoed && problems.length === 0 && silent.length === 0;
  parts.log.info("plan.done", { model, draft: request.draft, acceptable, silent });
  const told = { findings: problems.slice(0, FINDINGS_MAX), findingCount: BigInt(problems.length) };
  yield { part: { case: "summary", value: { acceptable, ...told, silent } } };
}

async function previewOf(
  { parts }: Coordinator,
  { draft, etag }: PlanRequest,
  signal: AbortSignal,
): Promise<Preview> {
  let candidate: Candidate | undefined;
  const changes: Change[] = [];
  const findings: Finding[] = [];
  try {
    for await (const part of parts.registry.previewDraft({ name: draft, etag }, { signal })) {
      candidate = merged(candidate, part.candidate);
      for (const each of part.changes) changes.push(each);
      for (const each of part.findings) findings.push(each);
    }
  } catch (error) {
    throw relayed(error);
  }
  if (candidate === undefined) throw new Error(`the registry previewed ${draft}, and told no candidate`);
  return { candidate, changes, findings };
}

async function askedOf(
  { parts }: Coordinator,
  model: string,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<readonly Candidacy[]> {
  const [{ voters: policy }, { value }] = await Promise.all([
    parts.registry.getModel({ name: modelName(model) }, { signal }),
    readRegistrations(parts.store, model, signal),
  ]);
  const active = value.active.map(({ conductor, kinds }) => ({ conductor: conductorId(conductor), kinds }));
  const voters = freezeVoters(
    policy === WirePolicy.AFFECTED ? "affected" : "all",
    active,
    affectedKinds(candidate),
    undefined,
  );
  const kindsOf = new Map(active.map(({ conductor, kinds }) => [conductor, kinds]));
  return voters.map(({ conductor }) => ({ conductor, kinds: kindsOf.get(conductor) ?? [] }));
}

/** What fits into one message; how many there are is said beside it. */
const FINDINGS_MAX = 1_000;

function header(
  request: PlanRequest,
  { candidate, findings }: Preview,
  asked: ReadonlySet<ConductorId>,
): Part {
  return {
    part: {
      case: "header",
      value: {
        draft: request.draft,
        etag: request.etag,
        baseVersion: candidate.baseVersion,
        conductors: [...asked].map(conductorName),
        scope: candidate.scope.slice(0, FINDINGS_MAX),
        findings: findings.slice(0, FINDINGS_MAX),
        changeCount: candidate.changeCount,
        findingCount: BigInt(findings.length),
        scopeCount: BigInt(candidate.scope.length),
      },
    },
  };
}

function voterOf({ conductor, answer }: PlanAnswer): Voter {
  const vote: Voter["vote"] =
    answer.kind === "veto"
      ? { stage: "vetoed", findings: answer.findings }
      : { stage: "accepted", plan: answer.plan };
  return { ...unheard(conductor), vote };
}

/** Claims are for the summary; of thousands of steps the riskiest are shown. */
const STEPS_MAX = 1_000;

function statusOf(voter: Voter): MessageInitShape<typeof VoterStatusSchema> {
  const { vote } = voter;
  if (vote.stage !== "accepted") return fromVoter(voter);
  const steps = vote.plan.steps.toSorted(byRisk).slice(0, STEPS_MAX);
  const claims = vote.plan.claims.slice(0, STEPS_MAX);
  return fromVoter({ ...voter, vote: { ...vote, plan: { ...vote.plan, steps, claims } } });
}

async function* differences(
  { parts }: Coordinator,
  { draft }: PlanRequest,
  signal: AbortSignal,
): AsyncGenerator<
  NonNullable<Extract<NonNullable<Part["part"]>, { case: "difference" }>["value"]>,
  void,
  undefined
> {
  let pageToken = "";
  let left = parts.limits.planDifferencesMax;
  try {
    do {
      const page = await parts.registry.diffDraft(
        { name: draft, pageSize: Math.min(left, 100), pageToken },
        { signal },
      );
      yield* page.differences.slice(0, left);
      left -= page.differences.length;
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && left > 0);
  } catch (error) {
    throw relayed(error);
  }
}
