/** Proposals in each phase, for the specs beside. */
import type { CandidateId, ConductorId, EntityIdentity, Epoch, ModelId } from "../../model/ids.ts";
import type { CommitEvent, Step } from "../event.ts";
import { COMMIT_LIMITS } from "../limits.ts";
import type { Frozen, Proposal, ProposalFacts, Queued } from "../proposal.ts";
import { step } from "../step.ts";
import { noPlan, unheard, type Answer } from "../vote.ts";

export const context = { limits: COMMIT_LIMITS, nowMs: 1_000 };
export const lambda = "lambda" as ConductorId;
export const streams = "streams" as ConductorId;
export const entity = "models/flights/entities/query/late";

export const facts: ProposalFacts = {
  model: "flights" as ModelId,
  proposal: "p1",
  origin: { kind: "draft", draft: "d", etag: "e" },
  actor: "ann",
  reason: "because",
  createdAtMs: 1,
  confirmWithinMs: undefined,
};

export const frozen: Frozen = {
  candidate: {
    id: "p1" as CandidateId,
    digest: "d".repeat(64),
    base: 4 as Epoch,
    changeCount: 1,
    author: "ann",
    scope: ["stream/flights@1" as EntityIdentity],
  },
  registrationsRevision: 9,
};

export const turn: CommitEvent & { type: "turn" } = {
  type: "turn",
  head: 4 as Epoch,
  frozen,
  voters: [lambda, streams].map(unheard),
  claimable: [entity],
};

export const bindings = [{ entity: "query/late@5" as EntityIdentity, hash: "a".repeat(64) }];
export const accept: Answer = { kind: "accept", plan: { ...noPlan, claims: [entity], prepareMs: 100_000 } };
export const acceptReady: Answer = { kind: "accept", plan: noPlan, ready: [] };
export const ready: Answer = { kind: "ready", bindings };
export const finding = {
  severity: "error",
  entity,
  fieldPath: "where",
  column: 3,
  reason: "UNKNOWN_FIELD",
  message: "there is no field delayed",
  remedy: "write delay",
} as const;

export function queued(more: Partial<ProposalFacts> = {}): Queued {
  return { phase: "queued", facts: { ...facts, ...more }, deadline: { remainingMs: COMMIT_LIMITS.queueMs } };
}

export const by = (conductor: ConductorId, answer: Answer, command?: "settle" | "disarm"): CommitEvent => ({
  type: "answer",
  conductor,
  command: command ?? (answer.kind === "accept" || answer.kind === "veto" ? "review" : "prepare"),
  answer,
});

export const settled = (
  conductor: ConductorId,
  committed: boolean,
  command: "settle" | "disarm" = "settle",
): CommitEvent => by(conductor, { kind: "settled", committed }, command);

/** The events one after the other; gives the last step. */
export function play(start: Proposal, ...events: CommitEvent[]): Step<Proposal> {
  return events.reduce<Step<Proposal>>((at, event) => step(at.state, event, context), {
    state: start,
    effects: [],
  });
}

const promoted: CommitEvent = { type: "promoted", atMs: 2_000 };
export const toReady = [turn, by(streams, acceptReady), by(lambda, accept), by(lambda, ready)];

export function samples(): Record<Proposal["phase"], Proposal> {
  const within = { confirmWithinMs: 60_000 };
  const reach = (...events: CommitEvent[]): Proposal => play(queued(within), ...events).state;
  const aborting = reach(turn, { type: "withdrawn", by: "ann", reason: "" });
  return {
    queued: queued(within),
    proposed: reach(turn),
    accepted: reach(...toReady.slice(0, 3)),
    ready: reach(...toReady),
    aborting,
    committed: reach(...toReady, promoted),
    marked: reach(...toReady, promoted, { type: "marked" }),
    aborted: play(aborting, { type: "discarded" }).state,
    settled: play(aborting, { type: "discarded" }, settled(lambda, false), settled(streams, false)).state,
  };
}
