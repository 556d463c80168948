/**
 * Who reads a lane, how far each has come, and who has crossed which epoch: read from durable rows only (R7), the same
 * for ingress, runtimes and conductors.
 */
import type { QueryContent } from "@greco/domain/epoch";
import type { LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { entityKey, epoch as toEpoch } from "@greco/domain/model";
import type { Checkpoint, Claim, LaneRecord, LaneStore } from "@greco/ports";
import type { BindingReader } from "./binding-reader.ts";
import type { LedgerFollower } from "./ledger-follower.ts";

export type ProgressSources = {
  readonly laneStore: LaneStore;
  readonly ledger: LedgerFollower;
  readonly bindings: BindingReader;
};

/** A query that reads a stream, from the marker of `since` on, until the marker of `until`. */
export type StreamReader = {
  readonly query: EntityIdentity;
  readonly to: EntityIdentity | undefined;
  readonly since: Epoch;
  readonly until?: Epoch;
};

/** How far a query has come in a lane, by those of its checkpoints that count (their outputs stand below the ends). */
export type LaneProgress = {
  readonly inputSeq: Seq;
  readonly inputEpoch: Epoch;
  /** It has done all of the lane that it ever will. */
  readonly done: boolean;
  readonly claim?: Claim;
};

/** Queries that read `stream` at some epoch from `from` to `to`, each with the whole time for which it does. */
export async function readersOf(
  { ledger, bindings }: ProgressSources,
  stream: EntityIdentity,
  from: Epoch,
  to: Epoch,
  signal: AbortSignal,
): Promise<readonly StreamReader[]> {
  const { index } = ledger;
  const readers: StreamReader[] = [];
  for (const query of index.entitiesOf("query")) {
    let reader: StreamReader | undefined;
    const closed = (until: Epoch): void => {
      if (reader !== undefined) readers.push({ ...reader, until });
      reader = undefined;
    };
    const changes = index.changesOf(query);
    for (const [each, epoch] of changes.entries()) {
      const next = changes[each + 1];
      if (next !== undefined && next <= from) {
        // In force before the span only: nobody asks for it, and its binding may be retired by now.
        closed(epoch);
        continue;
      }
      const binding = index.bindingAt(epoch, query);
      const content =
        binding && (JSON.parse(await bindings.content(binding, signal)) as Pick<QueryContent, "from" | "to">);
      const identity = (name: string): EntityIdentity | undefined =>
        index.identityAt(epoch, entityKey("stream", name));
      if (content === undefined || identity(content.from) !== stream) closed(epoch);
      else reader = { query, to: identity(content.to), since: reader?.since ?? epoch };
    }
    if (reader !== undefined) readers.push(reader);
  }
  return readers.filter(({ since, until }) => since <= to && (until === undefined || until > from));
}

/** `claims`: as listed, where the caller has them already. */
export async function progressOf(
  { laneStore, ledger: { model } }: Pick<ProgressSources, "laneStore" | "ledger">,
  query: EntityIdentity,
  lane: LaneId,
  signal: AbortSignal,
  claims?: readonly Claim[],
): Promise<LaneProgress> {
  const all = claims ?? (await laneStore.listClaims(model, signal));
  const claim = all.find((each) => each.query === query && each.inputLane === lane);
  const checkpoints = await laneStore.readCheckpoints(model, query, lane, signal);
  let best: { inputSeq: Seq; inputEpoch: Epoch } = { inputSeq: seq(0), inputEpoch: toEpoch(0) };
  for (const checkpoint of checkpoints) {
    if (checkpoint.inputSeq <= best.inputSeq) continue;
    if (await counts(laneStore, model, checkpoint, signal)) best = checkpoint;
  }
  const { inputSeq, inputEpoch } = best;
  return { inputSeq, inputEpoch, done: claim?.done ?? false, ...(claim === undefined ? {} : { claim }) };
}

/** A zombie's checkpoint names outputs beyond the end of its sealed lanes. */
async function counts(
  laneStore: LaneStore,
  model: LedgerFollower["model"],
  { outputs }: Checkpoint,
  signal: AbortSignal,
): Promise<boolean> {
  for (const output of outputs) {
    const record = await laneStore.getLane(model, output.lane, signal);
    if (record === undefined) return false;
    const stands = record.state.end ?? (await laneStore.tail(model, output.lane, signal));
    if (stands < output.seq) return false;
  }
  return true;
}

export type LaneCrossing = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  readonly epoch: Epoch;
  readonly crossed: boolean;
};

/**
 * R7: for every live lane of the streams in the scope of `epoch`, every query that reads it just before or from there.
 * Crossed is what stands durably below the seal: the marker in the query's own lane behind that input, a crossing that
 * another team's runtime has recorded, an input lane that is done to its end, or one that opened in that epoch or later.
 */
export async function listCrossings(
  sources: ProgressSources,
  epoch: Epoch,
  signal: AbortSignal,
): Promise<readonly LaneCrossing[]> {
  const { laneStore, ledger } = sources;
  const { model, index } = ledger;
  const lanes = await laneStore.listLanes(model, {}, signal);
  const claims = await laneStore.listClaims(model, signal);
  const crossings: LaneCrossing[] = [];
  const readers = new Map<EntityIdentity, readonly StreamReader[]>();
  for (const lane of lanes) {
    const { stream, id } = lane.info;
    if (!index.inScope(epoch, stream)) continue;
    let known = readers.get(stream);
    if (known === undefined) {
      const before = toEpoch(Math.max(0, epoch - 1));
      known = await readersOf(sources, stream, before, epoch, signal);
      readers.set(stream, known);
    }
    for (const { query } of known) {
      const crossed = await hasCrossed(sources, query, lane, lanes, claims, epoch, signal);
      crossings.push({ query, lane: id, epoch, crossed });
    }
  }
  return crossings;
}

/** R7, for one query and one input lane. `lanes`: all in which a derived lane of the two may be. */
export /**
 * R7, for one query and one lane of a stream in the scope of `epoch` that it reads. `lanes` and `claims`: as listed at a
 * quorum, where the derived lanes of `lane` must be among them.
 */
async function hasCrossed(
  sources: ProgressSources,
  query: EntityIdentity,
  lane: LaneRecord,
  lanes: readonly LaneRecord[],
  claims: readonly Claim[],
  epoch: Epoch,
  signal: AbortSignal,
): Promise<boolean> {
  const { laneStore, ledger } = sources;
  const { model } = ledger;
  const { id } = lane.info;
  const first = (await laneStore.read(model, id, lane.state.firstRetained, 1, signal)).entries[0];
  if (first !== undefined && first.epoch >= epoch) return true;
  for (const each of lanes) {
    if (each.info.derived?.query !== query || each.info.derived.inputLane !== id) continue;
    const stands = each.state.end ?? (await laneStore.tail(model, each.info.id, signal));
    const [last] = stands === 0 ? [] : await laneStore.readBackwards(model, each.info.id, stands, 1, signal);
    if (last !== undefined && last.epoch >= epoch) return true;
  }
  if ((await laneStore.readCrossing(model, query, id, signal)) >= epoch) return true;
  if (lane.state.end === undefined) return false;
  const progress = await progressOf(sources, query, id, signal, claims);
  return progress.done || progress.inputSeq >= lane.state.end;
}
