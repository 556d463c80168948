/** Entities, changes, differences, findings and candidates → wire messages (STYLE 1), with their sizes. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ChangeSchema,
  Difference_Kind,
  type DifferenceSchema,
  type EntitySchema,
  type FindingSchema,
  Severity,
} from "@greco/contracts/greco/model/v1/model";
import { Candidate_State, type CandidateSchema } from "@greco/contracts/greco/registry/v1/registry";
import {
  entityResource,
  utf8Length,
  type Change,
  type Difference,
  type DifferenceKind,
  type EntityKey,
  type EntityState,
  type Finding,
  type ModelId,
} from "@greco/domain/model";
import type { Affected } from "../candidates/extent.ts";
import type { CandidateRecord } from "../store/records.ts";

/** What a message has around its texts: tags, lengths, numbers. */
const ENVELOPE_BYTES = 64;

export function resourceOf(model: string, key: string): string {
  return entityResource(model as ModelId, key as EntityKey);
}

export function toEntity(
  model: string,
  key: string,
  entity: EntityState,
): MessageInitShape<typeof EntitySchema> {
  return {
    name: resourceOf(model, key),
    specJson: entity.specJson,
    createdVersion: BigInt(entity.createdVersion),
    changedVersion: BigInt(entity.changedVersion),
  };
}

export function entityBytes([key, { specJson }]: readonly [string, EntityState]): number {
  return ENVELOPE_BYTES + 2 * key.length + utf8Length(specJson);
}

export function toChange(model: string, key: string, change: Change): MessageInitShape<typeof ChangeSchema> {
  const entity = resourceOf(model, key);
  return change.action === "put"
    ? { entity, action: { case: "putSpecJson", value: change.specJson } }
    : { entity, action: { case: "delete", value: true } };
}

export function changeBytes([key, change]: readonly [string, Change]): number {
  return ENVELOPE_BYTES + 2 * key.length + (change.action === "put" ? utf8Length(change.specJson) : 0);
}

const differenceKinds = {
  create: Difference_Kind.CREATE,
  update: Difference_Kind.UPDATE,
  delete: Difference_Kind.DELETE,
} as const satisfies Record<DifferenceKind, Difference_Kind>;

export function toDifference(
  model: string,
  { entity, kind, before, after }: Difference,
): MessageInitShape<typeof DifferenceSchema> {
  return {
    entity: resourceOf(model, entity),
    kind: differenceKinds[kind],
    beforeSpecJson: before?.specJson ?? "",
    afterSpecJson: after?.specJson ?? "",
  };
}

export function differenceBytes({ entity, before, after }: Difference): number {
  const specs = utf8Length(before?.specJson ?? "") + utf8Length(after?.specJson ?? "");
  return ENVELOPE_BYTES + 2 * entity.length + specs;
}

export function toFinding(model: string, finding: Finding): MessageInitShape<typeof FindingSchema> {
  return {
    severity: finding.severity === "error" ? Severity.ERROR : Severity.WARNING,
    entity: finding.entity === undefined ? "" : resourceOf(model, finding.entity),
    fieldPath: finding.fieldPath,
    column: finding.column,
    reason: finding.reason,
    message: finding.message,
    remedy: finding.remedy,
  };
}

export function findingBytes({ message, remedy, fieldPath }: Finding): number {
  return ENVELOPE_BYTES + 128 + utf8Length(message) + utf8Length(remedy) + utf8Length(fieldPath);
}

const candidateStates = {
  unsealed: Candidate_State.UNSPECIFIED,
  open: Candidate_State.OPEN,
  promoted: Candidate_State.PROMOTED,
  discarded: Candidate_State.DISCARDED,
} as const satisfies Record<CandidateRecord["state"], Candidate_State>;

export type CandidateInit = Exclude<MessageInitShape<typeof CandidateSchema>, { readonly $typeName: string }>;

/** Without what it touches. */
export function toCandidate(model: string, record: CandidateRecord): CandidateInit {
  const sealed = "digest" in record ? record : undefined;
  return {
    id: record.id,
    model: `models/${model}`,
    baseVersion: BigInt(record.baseVersion),
    digest: sealed?.digest ?? "",
    changeCount: BigInt(sealed?.changeCount ?? 0),
    author: record.author,
    proposalId: record.proposal,
    state: candidateStates[record.state],
    promotedVersion: BigInt(record.state === "promoted" ? record.version : 0),
    restoresVersion: BigInt(sealed?.restoresVersion ?? 0),
  };
}

export function toAffected(model: string, { entity, createdVersion, change, claimRequired }: Affected) {
  return {
    entity: resourceOf(model, entity),
    createdVersion: BigInt(createdVersion),
    change: change === undefined ? Difference_Kind.UNSPECIFIED : differenceKinds[change],
    claimRequired,
  };
}

export function affectedBytes({ entity }: Affected): number {
  return ENVELOPE_BYTES + 2 * entity.length;
}
