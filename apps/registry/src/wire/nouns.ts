/** Records → wire messages (STYLE 1): models, kinds, drafts, versions, roles, audit. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AuditRecordSchema,
  type DraftSchema,
  KindReference_Flow,
  type KindSchema,
  type ModelSchema,
  PersonRole,
  type RoleBindingSchema,
  type VersionSchema,
  VoterPolicy,
} from "@greco/contracts/greco/model/v1/model";
import type { Audit } from "@greco/control-kit";
import type { Flow } from "@greco/domain/model";
import { etagOfDraft } from "../drafts/etag.ts";
import type { DraftRecord, KindRecord, ModelRecord, RoleRecord, VersionRecord } from "../store/records.ts";

export function toModel(record: ModelRecord, headVersion: number): MessageInitShape<typeof ModelSchema> {
  return {
    name: `models/${record.id}`,
    displayName: record.displayName,
    headVersion: BigInt(headVersion),
    voters: record.voters === "all" ? VoterPolicy.ALL : VoterPolicy.AFFECTED,
    approvalRequired: record.approvalRequired,
    etag: record.etag,
    createTime: timestampFromMs(record.createdAtMs),
    updateTime: timestampFromMs(record.updatedAtMs),
  };
}

const flows = {
  uses: KindReference_Flow.USES,
  reads: KindReference_Flow.READS,
  writes: KindReference_Flow.WRITES,
} as const satisfies Record<Flow, KindReference_Flow>;

export function toKindMessage(model: string, record: KindRecord): MessageInitShape<typeof KindSchema> {
  return {
    name: `models/${model}/kinds/${record.id}`,
    displayName: record.displayName,
    schemaJson: record.schemaJson,
    rules: record.rules.map((rule) => ({ ...rule })),
    references: record.references.map(({ path, kind, flow }) => ({ path, kind, flow: flows[flow] })),
    stream: record.stream,
    unclaimedAllowed: record.unclaimedAllowed,
    builtIn: record.builtIn,
    etag: record.etag,
  };
}

/** Unspecified: it only uses the other entity. */
export function fromFlow(flow: KindReference_Flow): Flow {
  if (flow === KindReference_Flow.READS) return "reads";
  return flow === KindReference_Flow.WRITES ? "writes" : "uses";
}

export function toDraft(model: string, record: DraftRecord): MessageInitShape<typeof DraftSchema> {
  const etag = etagOfDraft(record);
  return {
    name: `models/${model}/drafts/${record.id}`,
    baseVersion: BigInt(record.baseVersion),
    author: record.author,
    title: record.title,
    etag,
    changeCount: BigInt(record.changeCount),
    createTime: timestampFromMs(record.createdAtMs),
    updateTime: timestampFromMs(record.updatedAtMs),
    approvals: record.approvals.map(({ subject, timeMs }) => ({
      subject,
      etag,
      time: timestampFromMs(timeMs),
    })),
  };
}

export function toVersion(model: string, record: VersionRecord): MessageInitShape<typeof VersionSchema> {
  return {
    name: `models/${model}/versions/${record.number}`,
    number: BigInt(record.number),
    candidate: record.candidate,
    digest: record.digest,
    author: record.author,
    releaser: record.releaser,
    reason: record.reason,
    commitTime: timestampFromMs(record.commitAtMs),
    changeCount: BigInt(record.changeCount),
    proposal: record.proposal === "" ? "" : `models/${model}/proposals/${record.proposal}`,
    restoresVersion: BigInt(record.restoresVersion),
  };
}

export const roleToWire = {
  viewer: PersonRole.VIEWER,
  editor: PersonRole.EDITOR,
  releaser: PersonRole.RELEASER,
  admin: PersonRole.ADMIN,
} as const satisfies Record<RoleRecord["role"], PersonRole>;

/** The contract refuses what is not one of them. */
export function fromRole(role: PersonRole): RoleRecord["role"] {
  if (role === PersonRole.ADMIN) return "admin";
  if (role === PersonRole.RELEASER) return "releaser";
  return role === PersonRole.EDITOR ? "editor" : "viewer";
}

export function toRoleBinding(
  model: string,
  subject: string,
  record: RoleRecord,
): MessageInitShape<typeof RoleBindingSchema> {
  return {
    name: `models/${model}/roleBindings/${subject}`,
    subject,
    role: roleToWire[record.role],
    etag: record.etag,
  };
}

/** `sequence` is the store's revision in which it was made: it only grows. */
export function toAuditRecord(
  model: string,
  sequence: number,
  audit: Audit,
): MessageInitShape<typeof AuditRecordSchema> {
  return {
    name: `models/${model}/auditRecords/${sequence}`,
    sequence: BigInt(sequence),
    time: timestampFromMs(audit.timeMs),
    actor: audit.actor,
    method: audit.method,
    resource: audit.resource,
    reason: audit.reason,
    outcome: audit.outcome,
    detailJson: audit.detail === undefined ? "" : JSON.stringify(audit.detail),
  };
}
