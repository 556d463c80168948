/** Between the contract's messages and the kit's own types (STYLE 1). */
import {
  candidateId,
  entityIdentity,
  entityResource,
  parseEntityIdentity,
  parseEntityResource,
  type CandidateId,
  type ConductorId,
  type EntityIdentity,
  type EntityKey,
  type ModelId,
} from "@greco/domain/model";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  PlanStep_Action,
  PlanStep_Risk,
  type InspectedSchema,
} from "@greco/contracts/greco/commit/v1/commit";
import { Inspect_Mode } from "@greco/contracts/greco/conductor/v1/conductor";
import { Difference_Kind, Severity, type Change } from "@greco/contracts/greco/model/v1/model";
import type { AffectedEntity } from "@greco/contracts/greco/registry/v1/registry";
import type { AnswerRequest } from "./answers.ts";
import type { Affected, Finding, PlanStep } from "./conductor.ts";
import type { Found, Mode } from "./inspecting.ts";
import type { StoredAccept, StoredRef } from "./journal.ts";
import type { ConductorLimits } from "./limits.ts";
import type { AnswerBody, Told } from "./machine.ts";
import type { ViewChange } from "./view.ts";

/** Undefined: none was named. */
export function toMs(
  duration: { readonly seconds: bigint; readonly nanos: number } | undefined,
): number | undefined {
  if (duration === undefined) return undefined;
  const ms = Number(duration.seconds) * 1000 + duration.nanos / 1_000_000;
  return ms > 0 ? Math.ceil(ms) : undefined;
}

const toDuration = (ms: number): { seconds: bigint; nanos: number } => ({
  seconds: BigInt(Math.floor(ms / 1000)),
  nanos: Math.round((ms % 1000) * 1_000_000),
});

/** Lines about entities of `kinds`; what is not a line of an entity of this model is left out. */
export function toViewChanges(
  model: ModelId,
  changes: readonly Change[],
  kinds: ReadonlySet<string>,
): readonly ViewChange[] {
  return changes.flatMap((change): ViewChange[] => {
    const parts = parseEntityResource(change.entity);
    if (parts === undefined || parts.model !== model || !kinds.has(parts.kind)) return [];
    const key = `${parts.kind}/${parts.name}` as EntityKey;
    if (change.action.case === "putSpecJson") return [{ key, specJson: change.action.value }];
    return change.action.case === "delete" ? [{ key, specJson: undefined }] : [];
  });
}

export type NamedAffected = Pick<Affected, "key" | "identity" | "change">;

export function toAffected(
  model: ModelId,
  affected: readonly AffectedEntity[],
  kinds: ReadonlySet<string>,
): readonly NamedAffected[] {
  return affected.flatMap((each): NamedAffected[] => {
    const parts = parseEntityResource(each.entity);
    if (parts === undefined || parts.model !== model || !kinds.has(parts.kind)) return [];
    const key = `${parts.kind}/${parts.name}` as EntityKey;
    const identity = entityIdentity(key, Number(each.createdVersion));
    return [{ key, identity, change: CHANGES.get(each.change) ?? "none" }];
  });
}

const CHANGES: ReadonlyMap<Difference_Kind, Affected["change"]> = new Map([
  [Difference_Kind.CREATE, "create"],
  [Difference_Kind.UPDATE, "update"],
  [Difference_Kind.DELETE, "delete"],
] as const);

/** A candidate's id as the control plane writes it; a plan's is empty. */
export const toCandidate = (id: string): CandidateId | undefined => (id === "" ? undefined : candidateId(id));

export type Answerer = {
  readonly conductor: ConductorId;
  readonly model: ModelId;
  readonly incarnation: number;
};

/** I1: names candidate, digest and incarnation. */
export function toAnswer(
  who: Answerer,
  told: Omit<Told, "candidate"> & { readonly candidate: string },
  body: AnswerBody | InspectedBody,
): AnswerRequest {
  return {
    conductor: `conductors/${who.conductor}`,
    model: `models/${who.model}`,
    incarnation: BigInt(who.incarnation),
    commandId: told.commandId,
    candidate: told.candidate,
    digest: told.digest,
    answer: toAnswerCase(who, body),
  };
}

function toAnswerCase(who: Answerer, body: AnswerBody | InspectedBody): NonNullable<AnswerRequest["answer"]> {
  switch (body.type) {
    case "accept":
      return {
        case: "accept",
        value: { plan: toPlan(who, body.accept), ...(body.accept.ready ? { ready: { bindings: [] } } : {}) },
      };
    case "veto":
      return { case: "veto", value: { findings: toFindings(who.model, body.findings) } };
    case "ready":
      return { case: "ready", value: { bindings: body.bindings.map(toBindingRef) } };
    case "failed":
      return { case: "failed", value: { findings: toFindings(who.model, body.findings) } };
    case "settled":
      return { case: "settled", value: { committed: body.committed } };
    case "inspected":
      return { case: "inspected", value: toInspected(who.model, body) };
  }
}

const MODES: ReadonlyMap<Inspect_Mode, Mode> = new Map([
  [Inspect_Mode.DRIFT, "drift"],
  [Inspect_Mode.MEND, "mend"],
  [Inspect_Mode.ACCESS, "access"],
] as const);

/** Undefined: of a newer coordinator. */
export const toMode = (mode: Inspect_Mode): Mode | undefined => MODES.get(mode);

export type InspectedBody = {
  readonly type: "inspected";
  readonly found: Found;
  readonly limits: Pick<ConductorLimits, "driftsMax" | "driftTextChars">;
};

/** The contract's own bound of a reason. */
const REASON_CHARS = 64;

/** No more than is told, each text cut: one object with a huge message must not keep the others from being told. */
function toInspected(
  model: ModelId,
  { found, limits }: InspectedBody,
): MessageInitShape<typeof InspectedSchema> {
  const { supported, version, drifts, changing, failure } = found;
  const { driftsMax, driftTextChars } = limits;
  return {
    supported,
    version: BigInt(version),
    drifts: drifts.slice(0, driftsMax).map(({ entity, object, reason, message, remedy, mended = false }) => ({
      entity: entity === "" ? "" : entityResource(model, entity),
      object: cut(object, driftTextChars),
      reason: cut(reason, REASON_CHARS),
      message: cut(message, driftTextChars),
      remedy: cut(remedy, driftTextChars),
      mended,
    })),
    driftCount: BigInt(drifts.length),
    changing: changing.slice(0, driftsMax).map((key) => entityResource(model, key)),
    changingCount: BigInt(changing.length),
    failure: cut(failure, driftTextChars),
  };
}

/** A text that ends in the middle of a character would not be sent. */
const cut = (text: string, max: number): string =>
  (text.length <= max ? text : `${text.slice(0, max - 1)}…`).toWellFormed();

/**
 * A yes that does not fit into a message never counts, so it is a no, which says why; the same for each repeat.
 * Undefined: it is small anyway.
 */
export function insteadOfTooLarge(request: AnswerRequest): AnswerRequest | undefined {
  const { answer } = request;
  if (answer?.case !== "accept" && answer?.case !== "ready") return undefined;
  const what =
    answer.case === "ready"
      ? `is ready with ${answer.value.bindings?.length ?? 0} bindings`
      : `claims ${answer.value.plan?.claims?.length ?? 0} entities, with ${answer.value.plan?.steps?.length ?? 0} steps`;
  const finding = {
    severity: Severity.ERROR,
    reason: "ANSWER_TOO_LARGE",
    message: `the conductor ${what}: that does not fit into one message to the coordinator`,
    remedy: "make it so in several smaller drafts",
  };
  const {
    conductor = "",
    model = "",
    incarnation = 0n,
    commandId = "",
    candidate = "",
    digest = "",
  } = request;
  const no = answer.case === "ready" ? ("failed" as const) : ("veto" as const);
  return {
    ...{ conductor, model, incarnation, commandId, candidate, digest },
    answer: { case: no, value: { findings: [finding] } },
  };
}

const ACTIONS = {
  create: PlanStep_Action.CREATE,
  update: PlanStep_Action.UPDATE,
  delete: PlanStep_Action.DELETE,
} as const;
const RISKS = { low: PlanStep_Risk.LOW, medium: PlanStep_Risk.MEDIUM, high: PlanStep_Risk.HIGH } as const;

type WirePlan = {
  steps: { action: PlanStep_Action; object: string; entity: string; risk: PlanStep_Risk; note: string }[];
  prepareTime: { seconds: bigint; nanos: number };
  cost: string;
  claims: string[];
};

function toPlan({ model }: Answerer, { plan, claims }: StoredAccept): WirePlan {
  return {
    steps: plan.steps.map((each) => ({
      action: ACTIONS[each.action],
      object: each.object,
      entity: entityResource(model, each.entity),
      risk: RISKS[each.risk],
      note: each.note,
    })),
    prepareTime: toDuration(plan.prepareTimeMs),
    cost: plan.cost,
    claims: claims.map((key) => entityResource(model, key)),
  };
}

/** The contract takes this many; the rest is counted in the last one. */
const FINDINGS_MAX = 100;

type WireFinding = {
  severity: Severity;
  entity: string;
  fieldPath: string;
  column: number;
  reason: string;
  message: string;
  remedy: string;
};

export function toFindings(model: ModelId, findings: readonly Finding[]): WireFinding[] {
  return bounded(findings).map((each) => ({
    severity: each.severity === "warning" ? Severity.WARNING : Severity.ERROR,
    entity: each.entity === "" ? "" : entityResource(model, each.entity),
    fieldPath: each.fieldPath,
    column: each.column ?? 0,
    reason: each.reason,
    message: each.message,
    remedy: each.remedy,
  }));
}

function bounded(findings: readonly Finding[]): readonly Finding[] {
  const last = findings[FINDINGS_MAX - 1];
  if (findings.length <= FINDINGS_MAX || last === undefined) return findings;
  const left = findings.length - FINDINGS_MAX + 1;
  const message = `${last.message} (and ${left - 1} more findings)`;
  return [...findings.slice(0, FINDINGS_MAX - 1), { ...last, message }];
}

function toBindingRef({ entity, hash }: StoredRef): {
  kind: string;
  entity: string;
  createdVersion: bigint;
  hash: string;
} {
  const { kind, name, createdVersion } = parseEntityIdentity(entity);
  return { kind, entity: name, createdVersion: BigInt(createdVersion), hash };
}

const RISK_ORDER = { high: 0, medium: 1, low: 2 } as const;

/** In risk order, and no more than are told. */
export function orderedSteps(steps: readonly PlanStep[], max: number): readonly PlanStep[] {
  const ordered = steps.toSorted((a, b) => RISK_ORDER[a.risk] - RISK_ORDER[b.risk]);
  const last = ordered[max - 1];
  if (ordered.length <= max || last === undefined) return ordered;
  const more = `and ${ordered.length - max} more steps`;
  return [...ordered.slice(0, max - 1), { ...last, note: last.note === "" ? more : `${last.note}; ${more}` }];
}

export const identityKey = (identity: EntityIdentity): EntityKey => parseEntityIdentity(identity).key;
