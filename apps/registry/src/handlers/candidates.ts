/** What the coordinator and the conductors ask of candidates: preview, freeze, changes, promote, discard. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Candidate_State,
  type DecideResponseSchema,
  type FreezeRequest,
  type RegistryService,
} from "@greco/contracts/greco/registry/v1/registry";
import type { ChangeSchema, FindingSchema } from "@greco/contracts/greco/model/v1/model";
import { digestOf, type ChangeSet, type Finding } from "@greco/domain/model";
import { fault, type Handlers } from "@greco/service-kit";
import { discard, promote, type Decision } from "../candidates/decide.ts";
import { freeze } from "../candidates/freeze.ts";
import { prepare, type Source } from "../candidates/prepare.ts";
import { draftOf, modelOf, partsOf } from "../names.ts";
import type { Registry } from "../registry.ts";
import {
  changeBytes,
  findingBytes,
  toCandidate,
  toChange,
  toFinding,
  type CandidateInit,
} from "../wire/content.ts";
import { extentParts, withExtent } from "../wire/extent.ts";

type CandidateHandlers = Pick<
  Handlers<typeof RegistryService>,
  "freeze" | "previewDraft" | "getCandidateChanges" | "promote" | "discard"
>;

export function candidateHandlers(registry: Registry): CandidateHandlers {
  const { candidates, directory, limits } = registry;

  const decided = (model: string, decision: Decision): MessageInitShape<typeof DecideResponseSchema> => {
    const { record, decidedNow, refused } = decision;
    const extent = candidates.known(model, record.id)?.extent;
    const candidate = withExtent(model, toCandidate(model, record), extent, limits.responseBytes);
    return {
      candidate,
      ...(record.state === "promoted" ? { commitTime: timestampFromMs(record.decidedAtMs) } : {}),
      decidedNow,
      refused,
    };
  };

  return {
    async freeze(request, context) {
      const model = modelOf(request.parent);
      const { record, extent, created } = await freeze(
        registry,
        {
          model,
          source: sourceOf(model, request),
          actor: request.actor,
          reason: request.reason,
          proposal: request.proposalId,
          proposalRecord: request.proposalRecord,
          requestId: request.requestId,
          requestFingerprint: request.requestFingerprint,
          validateOnly: request.validateOnly,
        },
        context,
      );
      const changes = created ? candidates.known(model, record.id)?.changes : undefined;
      return {
        candidate: withExtent(model, toCandidate(model, record), extent, limits.responseBytes),
        created,
        changes: changes === undefined ? [] : changesThatFit(model, changes, TOLD_BYTES),
      };
    },

    async *previewDraft({ name, etag }, { signal }) {
      const { model, id } = partsOf(name, "drafts");
      const prepared = await prepare(registry, model, { kind: "draft", draft: id, etag }, "", signal);
      const { base, changes, extent, author, findings } = prepared;
      const candidate: CandidateInit = {
        model: `models/${model}`,
        baseVersion: BigInt(base.version),
        digest: digestOf(changes),
        changeCount: BigInt(changes.size),
        author,
        state: Candidate_State.UNSPECIFIED,
      };
      for (const part of extentParts(model, candidate, extent, limits.streamBytes)) yield { candidate: part };
      for (const part of changeParts(model, changes, limits.streamBytes)) yield { changes: part };
      for (const part of findingParts(model, findings, limits.streamBytes)) yield { findings: part };
    },

    async *getCandidateChanges({ parent, candidate }, { signal }) {
      const model = modelOf(parent);
      await directory.model(model, signal);
      const record = await candidates.sealed(model, candidate, signal);
      const { changes, extent } = await candidates.content(model, record, signal);
      const message = toCandidate(model, record);
      for (const part of extentParts(model, message, extent, limits.streamBytes)) yield { candidate: part };
      for (const part of changeParts(model, changes, limits.streamBytes)) yield { changes: part };
    },

    async promote(request, context) {
      const model = modelOf(request.parent);
      const { candidate, digest, actor, reason, proposalRecord } = request;
      const decision = await promote(
        registry,
        {
          model,
          candidate,
          digest,
          actor,
          reason,
          proposalRecord,
          registrationsRevision: Number(request.registrationsRevision),
          joining: request.joiningConductors,
        },
        context,
      );
      return decided(model, decision);
    },

    async discard(request, context) {
      const model = modelOf(request.parent);
      const { candidate, actor, reason, proposalRecord } = request;
      const proposalRevision = Number(request.proposalRevision);
      return decided(
        model,
        await discard(
          registry,
          { model, candidate, actor, reason, proposalRecord, proposalRevision },
          context,
        ),
      );
    },
  };
}

function sourceOf(model: string, { source, etag }: FreezeRequest): Source {
  switch (source.case) {
    case "draft":
      return { kind: "draft", draft: draftOf(model, source.value, "draft"), etag };
    case "restoreVersion":
      return { kind: "restore", version: Number(source.value) };
    case "join":
      if (source.value) return { kind: "join" };
      break;
    case undefined:
      break;
  }
  const description = "is required: draft, restore_version or join (true)";
  throw fault.invalid("SOURCE_MISSING", `source ${description}`, [{ field: "source", description }]);
}

/** Most candidates are small: who freezes one announces its changes next, and need not ask for them. */
const TOLD_BYTES = 65_536;

/** All of them, or none. */
function changesThatFit(
  model: string,
  changes: ChangeSet,
  bytesMax: number,
): MessageInitShape<typeof ChangeSchema>[] {
  const [first, second] = changeParts(model, changes, bytesMax).take(2);
  return second === undefined ? (first ?? []) : [];
}

function changeParts(
  model: string,
  changes: ChangeSet,
  bytesMax: number,
): Generator<MessageInitShape<typeof ChangeSchema>[], undefined> {
  return parts(changes.entries(), bytesMax, changeBytes, ([key, change]) => toChange(model, key, change));
}

function findingParts(
  model: string,
  findings: readonly Finding[],
  bytesMax: number,
): Generator<MessageInitShape<typeof FindingSchema>[], undefined> {
  return parts(findings, bytesMax, findingBytes, (each) => toFinding(model, each));
}

function* parts<T, M>(
  items: Iterable<T>,
  bytesMax: number,
  bytesOf: (item: T) => number,
  toMessage: (item: T) => M,
): Generator<M[], undefined> {
  let part: M[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (part.length > 0 && bytes + size > bytesMax) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(toMessage(item));
    bytes += size;
  }
  if (part.length > 0) yield part;
}
