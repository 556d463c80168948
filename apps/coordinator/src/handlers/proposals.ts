/** Proposals as people look at them: one, a page of them, or one as it goes. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  GetProposalRequest,
  ListProposalsRequest,
  ListProposalsResponseSchema,
  WatchProposalRequest,
  WatchProposalResponseSchema,
} from "@greco/contracts/greco/commit/v1/commit";
import { keys } from "@greco/control-kit";
import { CompactedError } from "@greco/ports";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { childOf, modelOf, proposalName } from "../names.ts";
import { pageOf, tokenOf } from "../page.ts";
import { requireModel } from "./register.ts";
import type { StoredProposal } from "../store/proposal-store.ts";
import { positionOf } from "../store/queue.ts";
import { toProposal, type ProposalInit, type Shown } from "../wire/proposal.ts";

/** With what the driver knows beyond the record: votes of this moment, and the time that is left. */
export async function shown(
  { driver, proposals, parts }: Coordinator,
  stored: StoredProposal,
  signal: AbortSignal,
): Promise<Shown> {
  const { model, id, proposal, revision } = stored;
  const runner = driver.runner(model, id);
  // What the driver has not read yet is newer than what it holds.
  const live = runner !== undefined && runner.revision >= revision && runner.state.phase === proposal.phase;
  return {
    proposal: live ? runner.shownRemaining() : proposal,
    revision,
    queuePosition:
      runner === undefined && proposal.phase === "queued"
        ? await positionOf(parts.store, proposals, stored, signal)
        : driver.position(model, id),
  };
}

export async function getProposal(
  coordinator: Coordinator,
  { name }: GetProposalRequest,
  { signal }: CallContext,
): Promise<ProposalInit> {
  return toProposal(await shown(coordinator, await existing(coordinator, name, signal), signal));
}

export async function existing(
  { proposals }: Coordinator,
  name: string,
  signal: AbortSignal,
): Promise<StoredProposal> {
  const { model, id } = childOf(name);
  const stored = await proposals.read(model, id, signal);
  if (stored === undefined)
    throw fault.notFound(
      "PROPOSAL_NOT_FOUND",
      proposalName(model, id),
      `${model} has no proposal ${id}: list its proposals`,
    );
  return stored;
}

/** Newest first: ids grow with time. */
export async function listProposals(
  coordinator: Coordinator,
  request: ListProposalsRequest,
  { signal }: CallContext,
): Promise<MessageInitShape<typeof ListProposalsResponseSchema>> {
  const { parts, proposals } = coordinator;
  const model = modelOf(request.parent);
  await requireModel(parts, model, signal);
  const prefix = keys.proposals(model);
  const { size, after } = pageOf(request, prefix, parts.limits);
  const { entries, more } = await parts.store.range(
    { prefix, ...(after === undefined ? {} : { after }) },
    { limit: size, descending: true },
    signal,
  );
  const page = withinBytes(entries, PAGE_BYTES);
  const last = page.at(-1);
  const all = await Promise.all(page.map((entry) => shown(coordinator, proposals.shown(entry), signal)));
  return {
    proposals: all.map(toProposal),
    nextPageToken:
      last !== undefined && (more || page.length < entries.length) ? tokenOf(prefix, last.key) : "",
  };
}

/** A page has to fit into one message. */
const PAGE_BYTES = 2_000_000;

function withinBytes<T extends { readonly value: Uint8Array }>(
  entries: readonly T[],
  bytesMax: number,
): readonly T[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += entry.value.length;
    return bytes > bytesMax && index > 0;
  });
  return end === -1 ? entries : entries.slice(0, end);
}

type Watched = MessageInitShape<typeof WatchProposalResponseSchema>;

/** Every change from a revision on, with progress marks; it ends when the proposal is settled. */
export async function* watchProposal(
  coordinator: Coordinator,
  request: WatchProposalRequest,
  { signal }: CallContext,
): AsyncGenerator<Watched, void, undefined> {
  const { store } = coordinator.parts;
  const { model, id } = childOf(request.name);
  const key = keys.proposal(model, id);
  const response = async (stored: StoredProposal, revision: number): Promise<Watched> => ({
    revision: BigInt(revision),
    proposal: toProposal(await shown(coordinator, stored, signal)),
  });
  try {
    const range = await store.range({ key }, { limit: 1 }, signal);
    const entry = range.entries[0];
    if (entry === undefined) await existing(coordinator, request.name, signal);
    const from = Number(request.fromRevision);
    const stored = entry && coordinator.proposals.shown(entry);
    const news = stored !== undefined && (from === 0 || from >= stored.revision);
    const settled = stored?.proposal.phase === "settled";
    if (stored !== undefined && news && (from === 0 || settled)) yield await response(stored, range.revision);
    if (news && settled) return;
    for await (const { events, revision } of store.watch(
      { key },
      from === 0 ? range.revision : from,
      signal,
    )) {
      if (events.length === 0) yield { revision: BigInt(revision) };
      for (const event of events) {
        if (event.type === "delete") continue;
        const changed = coordinator.proposals.shown(event.entry);
        yield await response(changed, event.entry.modRevision);
        if (changed.proposal.phase === "settled") return;
      }
    }
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error;
    throw fault.outOfRange(
      "REVISION_GONE",
      `the store does not hold revision ${request.fromRevision} any more: watch from 0 and take the present state`,
      { cause: error },
    );
  }
}
