/** Whether the work of a cluster goes on, as the stored rows say: no service is asked, since one of them may be down. */
import type { DataEntry, Entry, LaneId, Seq } from "@greco/domain/lane";
import { modelId, parseEntityIdentity } from "@greco/domain/model";
import type { LaneRecord, LaneStore } from "@greco/ports";
import { systemClock } from "@greco/service-kit";
import type { Cluster } from "./cluster.ts";

const LOOK_MS = 200;
const PAGE = 50;

/** Resolves when so many more flights are acknowledged, and all that stands in their lanes by then has its results. */
export async function goesOn(
  { job, lanes }: Pick<Cluster, "job" | "lanes">,
  flights: number,
  signal: AbortSignal,
): Promise<void> {
  await job.flow.more(flights, signal);
  const stored = await newestOf(lanes, job.parent, inputLaneOf, signal);
  if (stored.size === 0) throw new Error("flights are acknowledged, and no lane holds one");
  for (;;) {
    const done = await newestOf(lanes, job.parent, resultLaneOf, signal);
    if ([...stored].every(([lane, seq]) => (done.get(lane) ?? 0) >= seq)) return;
    await systemClock.sleep(LOOK_MS, signal);
  }
}

/** Of which input lane a lane tells, and up to where, by a flight that stands in it. */
type Telling = {
  readonly lane: LaneId;
  seqOf(entry: DataEntry): Seq | undefined;
};

const nameOf = ({ info }: LaneRecord): string => parseEntityIdentity(info.stream).name;

function inputLaneOf(record: LaneRecord): Telling | undefined {
  return nameOf(record) === "flights" ? { lane: record.info.id, seqOf: ({ seq }) => seq } : undefined;
}

function resultLaneOf(record: LaneRecord): Telling | undefined {
  const { derived } = record.info;
  if (nameOf(record) !== "payouts" || derived === undefined) return undefined;
  return { lane: derived.inputLane, seqOf: ({ source }) => source?.seq };
}

async function newestOf(
  lanes: LaneStore,
  parent: string,
  tellingOf: (record: LaneRecord) => Telling | undefined,
  signal: AbortSignal,
): Promise<ReadonlyMap<LaneId, Seq>> {
  const model = modelId(parent.replace("models/", ""));
  const newest = new Map<LaneId, Seq>();
  for (const record of await lanes.listLanes(model, { includeFinished: true }, signal)) {
    const telling = tellingOf(record);
    if (telling === undefined) continue;
    // Beyond the end nothing counts (R2).
    const end = record.state.end ?? (await lanes.tail(model, record.info.id, signal));
    const last = await lastFlight(lanes, { model, lane: record.info.id }, end, signal);
    const seq = last && telling.seqOf(last);
    if (seq !== undefined && seq > (newest.get(telling.lane) ?? 0)) newest.set(telling.lane, seq);
  }
  return newest;
}

/** Markers stand between. */
async function lastFlight(
  lanes: LaneStore,
  { model, lane }: { readonly model: ReturnType<typeof modelId>; readonly lane: LaneId },
  end: Seq,
  signal: AbortSignal,
): Promise<DataEntry | undefined> {
  for (let atMost = end; atMost > 0;) {
    const entries: readonly Entry[] = await lanes.readBackwards(model, lane, atMost, PAGE, signal);
    const flight = entries.find((entry) => entry.kind === "data");
    const oldest = entries.at(-1);
    if (flight !== undefined || oldest === undefined) return flight;
    atMost = (oldest.seq - 1) as Seq;
  }
  return undefined;
}
