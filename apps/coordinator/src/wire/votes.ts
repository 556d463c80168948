/** Votes, plans and findings: contract ↔ domain. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  PlanStep_Action,
  PlanStep_Risk,
  VoterStatus_Vote,
  type PlanOfConductor,
  type PlanOfConductorSchema,
  type VoterStatusSchema,
} from "@greco/contracts/greco/commit/v1/commit";
import type { AnswerCommandRequest, BindingRef } from "@greco/contracts/greco/conductor/v1/conductor";
import { Severity, type Finding, type FindingSchema } from "@greco/contracts/greco/model/v1/model";
import {
  noPlan,
  type Answer,
  type ConductorPlan,
  type PlannedStep,
  type ReadyBinding,
  type VoteFinding,
  type Voter,
} from "@greco/domain/commit";
import { entityIdentity, entityKey } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import { conductorName } from "../names.ts";
import { toDuration, toMs } from "./time.ts";

const ACTIONS = {
  create: PlanStep_Action.CREATE,
  update: PlanStep_Action.UPDATE,
  delete: PlanStep_Action.DELETE,
} as const;
const RISKS = { low: PlanStep_Risk.LOW, medium: PlanStep_Risk.MEDIUM, high: PlanStep_Risk.HIGH } as const;
const RISK_ORDER = { high: 0, medium: 1, low: 2 } as const;

const named = <N extends string, V>(table: Readonly<Record<N, V>>, value: V, otherwise: N): N =>
  (Object.keys(table) as N[]).find((name) => table[name] === value) ?? otherwise;

/** `undefined` where the oneof is not set. */
export function toAnswer(request: AnswerCommandRequest): Answer | undefined {
  const { answer } = request;
  switch (answer.case) {
    case "accept": {
      const plan = toPlan(request.model, answer.value.plan);
      const { ready } = answer.value;
      return ready === undefined
        ? { kind: "accept", plan }
        : { kind: "accept", plan, ready: ready.bindings.map(toBinding) };
    }
    case "veto":
      return { kind: "veto", findings: answer.value.findings.map(toVoteFinding) };
    case "ready":
      return { kind: "ready", bindings: answer.value.bindings.map(toBinding) };
    case "failed":
      return { kind: "failed", findings: answer.value.findings.map(toVoteFinding) };
    case "settled":
      return { kind: "settled", committed: answer.value.committed };
    // To a question, and never to a proposal.
    case "inspected":
    case undefined:
      return undefined;
  }
}

function toPlan(model: string, plan: PlanOfConductor | undefined): ConductorPlan {
  if (plan === undefined) return noPlan;
  const steps = plan.steps.map(({ action, object, entity, risk, note }): PlannedStep => ({
    action: named(ACTIONS, action as (typeof ACTIONS)["create"], "update"),
    risk: named(RISKS, risk as (typeof RISKS)["low"], "high"),
    ...{ object, entity, note },
  }));
  const claims = plan.claims.map((claim) =>
    claim.startsWith("models/") ? claim : `${model}/entities/${claim}`,
  );
  return { steps, claims, cost: plan.cost, prepareMs: toMs(plan.prepareTime) ?? 0 };
}

const HASH = /^(?:[0-9a-f]{64})?$/;

function toBinding({ kind, entity, createdVersion, hash }: BindingRef): ReadyBinding {
  if (!HASH.test(hash)) {
    const description = `of ${kind}/${entity} must be a sha-256 in lower-case hex, or empty for a removed binding`;
    throw fault.invalid("INVALID_HASH", `hash ${description}`, [
      { field: "answer.ready.bindings.hash", description },
    ]);
  }
  return {
    entity: entityIdentity(entityKey(kind, entity), Number(createdVersion)),
    hash: hash === "" ? undefined : hash,
  };
}

export function toVoteFinding({
  severity,
  entity,
  fieldPath,
  column,
  reason,
  message,
  remedy,
}: Finding): VoteFinding {
  return {
    severity: severity === Severity.WARNING ? "warning" : "error",
    ...{ entity, fieldPath, column, reason, message, remedy },
  };
}

export function toFinding({ severity, ...rest }: VoteFinding): MessageInitShape<typeof FindingSchema> {
  return { severity: severity === "warning" ? Severity.WARNING : Severity.ERROR, ...rest };
}

/** The riskiest first. */
export const byRisk = (a: PlannedStep, b: PlannedStep): number => RISK_ORDER[a.risk] - RISK_ORDER[b.risk];

export function fromPlan(plan: ConductorPlan): MessageInitShape<typeof PlanOfConductorSchema> {
  return {
    steps: plan.steps
      .toSorted(byRisk)
      .map(({ action, risk, ...rest }) => ({ action: ACTIONS[action], risk: RISKS[risk], ...rest })),
    prepareTime: toDuration(plan.prepareMs),
    cost: plan.cost,
    claims: [...plan.claims],
  };
}

export function fromVoter({
  conductor,
  vote,
  released,
  disarmed,
  excused,
}: Voter): MessageInitShape<typeof VoterStatusSchema> {
  const status = { conductor: conductorName(conductor), settled: released || disarmed, excused };
  switch (vote.stage) {
    case "asked":
      return status;
    case "accepted":
      return { ...status, vote: VoterStatus_Vote.ACCEPT, plan: fromPlan(vote.plan) };
    case "ready":
      return { ...status, vote: VoterStatus_Vote.ACCEPT, plan: fromPlan(vote.plan), ready: true };
    case "vetoed":
      return { ...status, vote: VoterStatus_Vote.VETO, findings: vote.findings.map(toFinding) };
    case "failed":
      return {
        ...status,
        vote: VoterStatus_Vote.FAILED,
        plan: fromPlan(vote.plan),
        findings: vote.findings.map(toFinding),
      };
  }
}
