/**
 * Who reads a lane, how far each has come, and who has crossed which epoch: read from durable rows only (R7), the same
 * for ingress, runtimes and conductors.
 */
import type { QueryContent, ReadRange } from "@greco/domain/epoch";
import { readRanges } from "@greco/domain/epoch";
import type { LaneId, Seq } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { epoch as toEpoch, EPOCHS_STREAM, parseEntityIdentity } from "@greco/domain/model";
import type { Checkpoint, Claim, LaneRecord, LaneStore } from "@greco/ports";
import type { BindingReader } from "./binding-reader.ts";
import { BindingMissingError } from "./binding-reader.ts";
import type { LedgerFollower } from "./ledger-follower.ts";

export type ProgressSources = {
  readonly laneStore: LaneStore;
  readonly ledger: LedgerFollower;
  readonly bindings: BindingReader;
};

/** A query that reads a stream, from the marker of `since` on, until the marker of `until`. */
export type StreamReader = Omit<ReadRange, "stream"> & {
  /** A binding of it cannot be had, so that it is only known that it may read the stream: which, and what to do. */
  readonly unknown?: string;
};

/** How far a query has come in a lane, by those of its checkpoints that count (their outputs stand below the ends). */
export type LaneProgress = {
  readonly inputSeq: Seq;
  readonly inputEpoch: Epoch;
  /** It has done all of the lane that it ever will. */
  readonly done: boolean;
  readonly claim?: Claim;
  /** Why who has it does not go on: `BINDING_MISSING: …` (I12). Absent: it goes on. */
  readonly holding?: string;
};

/**
 * Queries that read `stream` at some epoch from `from` to `to`, each with the whole time for which it does, as far as
 * the bindings of the span tell. One whose binding cannot be had is taken for a reader where the scope of its epoch
 * allows for it: whoever drops rows or retires must not do so because a binding is missing.
 */
export async function readersOf(
  sources: ProgressSources,
  stream: EntityIdentity,
  from: Epoch,
  to: Epoch,
  signal: AbortSignal,
): Promise<readonly StreamReader[]> {
  const { index } = sources.ledger;
  const readers: StreamReader[] = [];
  for (const query of index.entitiesOf("query")) {
    const { names, unknown } = await namesRead(sources, query, stream, from, signal);
    for (const { stream: read, ...range } of readRanges(index, query, names)) {
      const { since, until = Number.POSITIVE_INFINITY } = range;
      if (read !== stream || since > to || until <= from) continue;
      const why = unknown.find(({ epoch }) => epoch >= since && epoch < until)?.why;
      readers.push(why === undefined ? range : { ...range, unknown: why });
    }
  }
  return readers;
}

/** The stream's name that the query reads from each of its changes on; those in force before `from` only are left out. */
async function namesRead(
  { ledger: { index }, bindings }: ProgressSources,
  query: EntityIdentity,
  stream: EntityIdentity,
  from: Epoch,
  signal: AbortSignal,
): Promise<{
  readonly names: ReadonlyMap<Epoch, string>;
  readonly unknown: readonly { readonly epoch: Epoch; readonly why: string }[];
}> {
  const names = new Map<Epoch, string>();
  const unknown: { epoch: Epoch; why: string }[] = [];
  const changes = index.changesOf(query);
  for (const [at, epoch] of changes.entries()) {
    const next = changes[at + 1];
    const binding = index.bindingAt(epoch, query);
    // Nobody asks for what was in force before the span only, and it may be retired by now.
    if (binding === undefined || (next !== undefined && next <= from)) continue;
    try {
      const { from: name } = JSON.parse(await bindings.content(binding, signal)) as Pick<
        QueryContent,
        "from"
      >;
      names.set(epoch, name);
    } catch (error) {
      if (!(error instanceof BindingMissingError)) throw error;
      // What a changed query reads is in the scope of its epoch; in `epochs` there is nothing to be read.
      if (stream === EPOCHS_STREAM || (epoch > index.base && !index.inScope(epoch, stream))) continue;
      names.set(epoch, parseEntityIdentity(stream).name);
      unknown.push({ epoch, why: `BINDING_MISSING: ${error.message}` });
    }
  }
  return { names, unknown };
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
  const holding = claim && holdingOf(claim, checkpoints);
  return {
    inputSeq,
    inputEpoch,
    done: claim?.done ?? false,
    ...(claim === undefined ? {} : { claim }),
    ...(holding === undefined ? {} : { holding }),
  };
}

/** Only what who has the claim says: what others said before is over, and of what is given up nothing is said. */
function holdingOf({ writer, runtime, done }: Claim, checkpoints: readonly Checkpoint[]): string | undefined {
  if (done || runtime === "") return undefined;
  return checkpoints.find((each) => each.writer === writer)?.holding;
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
 *
 * A query whose former binding is not there may have read any stream of the scope. Where the floor has passed what
 * replaced it, it was retired, or else is lost: it is left out of lanes that it has never claimed, or an epoch that was
 * crossed would not be so any more behind the retire. Whoever drops rows or retires goes by `readersOf`, which leaves
 * out nobody.
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
  const isClaimed = (query: EntityIdentity, lane: LaneId): boolean =>
    claims.some((each) => each.query === query && each.inputLane === lane);
  let floor: Epoch | undefined;
  for (const lane of lanes) {
    const { stream, id } = lane.info;
    if (!index.inScope(epoch, stream)) continue;
    let known = readers.get(stream);
    if (known === undefined) {
      const before = toEpoch(Math.max(0, epoch - 1));
      known = await readersOf(sources, stream, before, epoch, signal);
      readers.set(stream, known);
    }
    for (const { query, unknown, until } of known) {
      if (unknown !== undefined && until !== undefined && !isClaimed(query, id)) {
        // Read behind the miss: whoever retires a binding raises the floor before. Then it only seemed to read this lane.
        floor ??= await laneStore.readFloor(model, signal);
        if (until <= floor) continue;
      }
      const crossed = await hasCrossed(sources, query, lane, lanes, claims, epoch, signal);
      crossings.push({ query, lane: id, epoch, crossed });
    }
  }
  return crossings;
}

/**
 * R7, for one query and one lane of a stream in the scope of `epoch` that it reads. `lanes` and `claims`: as listed at a
 * quorum, where the derived lanes of `lane` must be among them.
 */
export async function hasCrossed(
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
