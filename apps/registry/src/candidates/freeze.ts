/**
 * Freeze (DESIGN §4.1): a candidate and its proposal come to be in one transaction, so none is orphaned. A small one
 * is that transaction alone. A large one is opened first, unsealed; its chunks follow, each transaction comparing
 * that it is still this attempt's; the last one seals it with count and digest.
 *
 * I2: a candidate's id is made once. I15: a refused freeze has made nothing that anybody sees.
 */
import { keys } from "@greco/control-kit";
import type { Compare } from "@greco/ports";
import { failpoint, fault, type CallContext } from "@greco/service-kit";
import { audited } from "../audit.ts";
import { describe } from "../checks/describe.ts";
import { encodeChanges } from "../drafts/log.ts";
import type { Registry } from "../registry.ts";
import { madeBefore, remembering, type Request } from "../requests.ts";
import { OvertakenError, writeChunked } from "../store/chunked.ts";
import { put, type Stored } from "../store/json.ts";
import type { CandidateRecord, Chunked, ModelRecord, PendingRecord, Sealed } from "../store/records.ts";
import { resourceOf } from "../wire/content.ts";
import { noCandidate, notSealed, type SealedRecord } from "./candidate-store.ts";
import { encodeExtent, type Extent } from "./extent.ts";
import { prepare, type Prepared, type Source } from "./prepare.ts";
import { wayBackOf } from "./way-back.ts";

export type Freeze = {
  readonly model: string;
  readonly source: Source;
  readonly actor: string;
  readonly reason: string;
  /** Also the candidate's id. */
  readonly proposal: string;
  readonly proposalRecord: Uint8Array;
  readonly requestId: string;
  /** Of the whole call that the request id is of; empty: what is frozen says it. */
  readonly requestFingerprint: string;
  readonly validateOnly: boolean;
};

export type Frozen = {
  readonly record: CandidateRecord;
  readonly extent: Extent | undefined;
  readonly created: boolean;
};

export async function freeze(registry: Registry, wanted: Freeze, context: CallContext): Promise<Frozen> {
  const { limits } = registry;
  const { signal } = context;
  const { model, proposal } = wanted;
  const request: Request = {
    model,
    requestId: wanted.requestId,
    of: ["Freeze", wanted.source, wanted.actor],
    fingerprint: wanted.requestFingerprint === "" ? undefined : wanted.requestFingerprint,
  };
  for (let attempt = 1; attempt <= limits.attemptsMax; attempt++) {
    const earlier = await madeBefore(registry, request, signal);
    if (earlier !== undefined) return await repeated(registry, model, earlier, signal);
    // What a freeze stands on is compared when it is sealed, so it may be read at the same time.
    const preparing = prepare(registry, model, wanted.source, wanted.actor, signal);
    const reading = registry.directory.models.refresh(keys.model(model), signal);
    for (const each of [preparing, reading]) each.catch(() => undefined);
    const existing = await registry.candidates.record(model, proposal, signal);
    if (existing !== undefined && existing.value.state !== "unsealed") {
      if (!sameSource(wanted.source, existing.value)) throw proposalExists(model, proposal);
      return await repeated(registry, model, proposal, signal);
    }
    const prepared = await preparing;
    refuseErrors(model, prepared);
    const guards = await approvalGuard(registry, model, prepared, await reading, signal);
    if (wanted.validateOnly)
      return { record: unsealed(registry, wanted, prepared, ""), extent: prepared.extent, created: false };
    const record = await seal(registry, wanted, prepared, guards, existing, request, context);
    if (record === undefined) continue;
    registry.candidates.remember(model, proposal, {
      changes: prepared.changes,
      extent: prepared.extent,
      state: { state: prepared.next, kinds: prepared.kinds },
    });
    return { record, extent: prepared.extent, created: true };
  }
  throw fault.aborted(
    "FREEZE_OVERTAKEN",
    `what ${proposal} would freeze keeps changing (the draft, its approvals, the kinds or the head): repeat the call`,
  );
}

/** The first answer. */
async function repeated(
  registry: Registry,
  model: string,
  candidate: string,
  signal: AbortSignal,
): Promise<Frozen> {
  const found = await registry.candidates.record(model, candidate, signal);
  if (found === undefined) throw noCandidate(model, candidate);
  if (found.value.state === "unsealed") throw notSealed(model, candidate);
  const readable =
    found.value.content !== undefined && !("collected" in found.value && found.value.collected);
  const extent = readable
    ? (await registry.candidates.content(model, found.value as SealedRecord, signal)).extent
    : undefined;
  return { record: found.value, extent, created: false };
}

function sameSource(wanted: Source, { source }: CandidateRecord): boolean {
  if (wanted.kind === "draft")
    return (
      source.kind === "draft" &&
      source.draft === wanted.draft &&
      (wanted.etag === "" || wanted.etag === source.etag)
    );
  if (wanted.kind === "restore") return source.kind === "restore" && source.version === wanted.version;
  return source.kind === "join";
}

/** Findings that were warnings at every save are errors now: one violation each. */
function refuseErrors(model: string, { findings }: Prepared): void {
  const errors = findings.filter(({ severity }) => severity === "error");
  const first = errors[0];
  if (first === undefined) return;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  throw fault.precondition(
    "DRAFT_INVALID",
    `${first.entity ?? model}: ${describe(first)}${more}`,
    errors.map((error) => ({
      type: error.reason,
      subject: error.entity === undefined ? `models/${model}` : resourceOf(model, error.entity),
      description: describe(error),
    })),
  );
}

/**
 * What changes a model that wants it was approved by a second person; and the model still is what it was. There is
 * nobody to approve a restore, so only the way back from a commit that waits for its confirmation goes without: it
 * was part of what was approved. A join changes nothing.
 */
async function approvalGuard(
  registry: Registry,
  model: string,
  { draft, source }: Prepared,
  record: Stored<ModelRecord> | undefined,
  signal: AbortSignal,
): Promise<readonly Compare[]> {
  const key = keys.model(model);
  const same: Compare = { key, target: "modRevision", is: "=", value: record?.revision ?? 0 };
  if (source.kind === "restore") {
    if (record?.value.approvalRequired !== true) return [same];
    const { to, armed, compare } = await wayBackOf(registry, model, signal);
    if (armed && to?.version === source.version) return [same, compare];
    throw restoreUnapproved(model, source.version);
  }
  if (draft === undefined) return [];
  const people = draft.approvals.filter(
    ({ subject }) => subject !== draft.author && !draft.editors.includes(subject),
  );
  if (record?.value.approvalRequired === true && people.length === 0) {
    const name = `models/${model}/drafts/${draft.id}`;
    throw fault.precondition(
      "APPROVAL_MISSING",
      `${model} wants a second person's approval: a releaser who has not edited ${name} must approve its present etag`,
      [{ type: "APPROVAL_MISSING", subject: name, description: "no second person has approved this etag" }],
    );
  }
  return [same];
}

function restoreUnapproved(model: string, version: number): Error {
  const subject = `models/${model}/versions/${version}`;
  const remedy = `make a draft with that content (greco export --version ${version}, greco draft apply --prune) and have it approved`;
  return fault.precondition(
    "APPROVAL_MISSING",
    `${model} wants a second person's approval, and a rollback to version ${version} has none: ${remedy}`,
    [{ type: "APPROVAL_MISSING", subject, description: `nobody can approve a rollback: ${remedy}` }],
  );
}

function unsealed(
  { clock }: Registry,
  { proposal, actor }: Freeze,
  { source, author, base }: Prepared,
  attempt: string,
): CandidateRecord & { readonly state: "unsealed" } {
  const createdAtMs = clock.nowMs();
  return {
    id: proposal,
    baseVersion: base.version,
    source,
    author,
    actor,
    proposal,
    createdAtMs,
    state: "unsealed",
    attempt,
  };
}

/** Undefined: what it stands on has changed meanwhile. */
async function seal(
  registry: Registry,
  wanted: Freeze,
  prepared: Prepared,
  guards: readonly Compare[],
  existing: Stored<CandidateRecord> | undefined,
  request: Request,
  context: CallContext,
): Promise<CandidateRecord | undefined> {
  const { store, ids, clock, limits } = registry;
  const { model, proposal } = wanted;
  const { signal } = context;
  const attempt = ids.next();
  const key = keys.candidate(model, proposal);
  const prefix = keys.candidateChunks(model, proposal);
  const start = unsealed(registry, wanted, prepared, attempt);
  const pending: PendingRecord = { sinceMs: clock.nowMs(), discarded: false };
  const memory = remembering(registry, request, proposal);
  // What a freeze that died has left is taken over; its chunks are under another attempt's name.
  const asFound: Compare = { key, target: "modRevision", is: "=", value: existing?.revision ?? 0 };
  let record: CandidateRecord | undefined;

  const open = async (): Promise<readonly Compare[]> => {
    const { succeeded, revision } = await store.transact(
      { compare: [asFound], then: [put(key, start), put(keys.pendingCandidate(model, proposal), pending)] },
      signal,
    );
    if (!succeeded) throw new OvertakenError(`another freeze of ${proposal} is under way`);
    await failpoint("registry.freeze.opened");
    return [{ key, target: "modRevision", is: "=", value: revision }];
  };

  try {
    const { succeeded } = await writeChunked(
      store,
      {
        sets: [
          { prefix, attempt: `c-${attempt}`, lines: encodeChanges(prepared.changes) },
          { prefix, attempt: `x-${attempt}`, lines: encodeExtent(prepared.extent) },
        ],
        chunkBytes: limits.chunkBytes,
        open,
        between: () => failpoint("registry.freeze.between"),
        seal: ([content, extent], guard) => {
          const sealed = sealedRecord(start, prepared, content as Chunked, extent as Chunked);
          record = sealed;
          return {
            compare: [...(guard ?? [asFound]), ...prepared.compare, ...guards, ...memory.compare],
            then: [
              put(key, sealed),
              put(keys.pendingCandidate(model, proposal), pending),
              put(keys.frozen(model), { candidate: proposal }),
              { type: "put", key: keys.proposal(model, proposal), value: wanted.proposalRecord },
              { type: "put", key: keys.openProposal(model, proposal), value: new Uint8Array() },
              audited(registry, context, model, {
                resource: `models/${model}/proposals/${proposal}`,
                outcome: "frozen",
                reason: wanted.reason,
                actor: wanted.actor,
                detail: {
                  source: prepared.source,
                  base: prepared.base.version,
                  digest: sealed.digest,
                  changes: sealed.changeCount,
                },
              }),
              ...memory.then,
            ],
          };
        },
        beforeSeal: () => failpoint("registry.freeze.before-seal"),
      },
      signal,
    );
    await failpoint("registry.freeze.after-seal");
    return succeeded ? record : undefined;
  } catch (error) {
    if (error instanceof OvertakenError) return undefined;
    throw error;
  }
}

function sealedRecord(
  { attempt: _attempt, state: _state, ...facts }: CandidateRecord & { readonly state: "unsealed" },
  { changes, restoresVersion }: Prepared,
  content: Chunked,
  extent: Chunked,
): CandidateRecord & Sealed {
  // The chunks are the canonical change set, so their digest is its digest.
  const digest = content.digest;
  return { ...facts, state: "open", digest, changeCount: changes.size, content, extent, restoresVersion };
}

function proposalExists(model: string, proposal: string): Error {
  return fault.exists(
    "PROPOSAL_EXISTS",
    `models/${model}/proposals/${proposal}`,
    `the proposal ${proposal} was made for something else: an id is used once, take a new one`,
  );
}
