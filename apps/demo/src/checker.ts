/**
 * The checker: from the raw inputs and the stored lanes alone, is anything lost, duplicated or
 * misapplied (I6, I8)? It walks the rows by itself, takes each entry's epoch from the last marker at or
 * before it, and compares with what that epoch's query gives without the runtime, its workers or bindings:
 * worked out by hand for the flights, and for other inputs by the same CEL library that the workers use.
 */
import { isDeepStrictEqual } from "node:util";
import type { DataEntry, Entry, LaneId, Seq } from "@greco/domain/lane";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import type { LaneRecord, LaneStore } from "@greco/ports";
import { gapRatio, median } from "./gaps.ts";

/** The checker's own evaluation of an epoch's query on one payload: the results, in order. */
export type Evaluate = (epoch: number, payload: unknown) => Promise<readonly unknown[]>;

export type CheckRequest = {
  readonly model: ModelId;
  readonly source: EntityIdentity;
  readonly target: EntityIdentity;
  readonly query: EntityIdentity;
  /**
   * What was published, as it was handed to the publisher, which numbered it from 1. Absent where the
   * source is what another query wrote.
   */
  readonly published?: { readonly inputs: readonly unknown[]; readonly producer: string };
  readonly evaluate: Evaluate;
  /** The epoch whose marker is looked at. */
  readonly switchEpoch: number;
};

export type LaneSwitch = { lane: string; markerSeq: number; before: number; after: number };

export type Mistake = {
  readonly kind: "lost" | "duplicated" | "misapplied";
  readonly where: string;
  readonly what: string;
};

export type OutputRecord = {
  readonly query: string;
  readonly lane: string;
  readonly seq: number;
  readonly epoch: number;
  readonly output: unknown;
};

export type CheckReport = {
  readonly inputs: number;
  readonly outputs: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly misapplied: number;
  readonly lanes: readonly LaneSwitch[];
  readonly gapRatio: number | undefined;
  /** The first few, for people. */
  readonly mistakes: readonly Mistake[];
  readonly records: readonly OutputRecord[];
  /** Number of the input that stands at `lane:seq`, from 1. */
  readonly inputAt: ReadonlyMap<string, number>;
};

const decoder = new TextDecoder("utf-8", { fatal: true });
const PAGE = 2_000;
const MISTAKES_SHOWN = 20;

async function readAll(
  store: LaneStore,
  model: ModelId,
  lane: LaneRecord,
  signal: AbortSignal,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let next = lane.state.firstRetained > 0 ? lane.state.firstRetained : (1 as Seq);
  for (;;) {
    const read = await store.read(model, lane.info.id, next, PAGE, signal);
    for (const entry of read.entries) {
      // Beyond the end nothing counts (R2).
      if (read.state.end !== undefined && entry.seq > read.state.end) return entries;
      entries.push(entry);
    }
    const last = read.entries.at(-1);
    if (last === undefined) return entries;
    next = (last.seq + 1) as Seq;
  }
}

/** The epoch of each position, from the markers alone. */
function epochsOf(
  entries: readonly Entry[],
  mistakes: (mistake: Mistake) => void,
  lane: LaneId,
): Map<number, number> {
  const epochs = new Map<number, number>();
  let epoch = 0;
  for (const entry of entries) {
    if (entry.kind === "marker") {
      if (entry.epoch <= epoch)
        mistakes({
          kind: "misapplied",
          where: `${lane}:${entry.seq}`,
          what: `epoch ${entry.epoch} after ${epoch}`,
        });
      epoch = entry.epoch;
    } else if (entry.epoch !== epoch) {
      mistakes({
        kind: "misapplied",
        where: `${lane}:${entry.seq}`,
        what: `row says epoch ${entry.epoch}, its marker ${epoch}`,
      });
    }
    epochs.set(entry.seq, epoch);
  }
  return epochs;
}

/**
 * An epoch that changes only what is below a stream begins in a derived lane before the input lane knows
 * of it. That is right only if it leaves this query as it was: the result is what that epoch gives, too.
 */
async function holdsUnder(
  evaluate: Evaluate,
  resultEpoch: number,
  epoch: number,
  payload: unknown,
  expected: readonly unknown[],
): Promise<boolean> {
  return resultEpoch === epoch || isDeepStrictEqual(await evaluate(resultEpoch, payload), expected);
}

export async function check(
  store: LaneStore,
  request: CheckRequest,
  signal: AbortSignal,
): Promise<CheckReport> {
  const counts = { lost: 0, duplicated: 0, misapplied: 0 };
  const shown: Mistake[] = [];
  const mistake = (each: Mistake): void => {
    counts[each.kind] += 1;
    if (shown.length < MISTAKES_SHOWN) shown.push(each);
  };
  const all = await store.listLanes(request.model, { includeFinished: true }, signal);

  const derived = all.filter(
    (lane) => lane.info.stream === request.target && lane.info.derived?.query === request.query,
  );
  const results = new Map<string, DataEntry[]>();
  const ratios: number[] = [];
  const records: OutputRecord[] = [];
  let outputs = 0;
  for (const lane of derived) {
    const entries = await readAll(store, request.model, lane, signal);
    epochsOf(entries, mistake, lane.info.id);
    const data = entries.filter((entry) => entry.kind === "data");
    for (const entry of data) {
      outputs += 1;
      const source = entry.source;
      if (source === undefined || source.query !== request.query) {
        mistake({
          kind: "misapplied",
          where: `${lane.info.id}:${entry.seq}`,
          what: "an output without its source",
        });
        continue;
      }
      const id = `${source.lane}:${source.seq}`;
      results.set(id, [...(results.get(id) ?? []), entry]);
      records.push({
        query: source.query,
        lane: source.lane,
        seq: source.seq,
        epoch: entry.epoch,
        output: JSON.parse(decoder.decode(entry.payload)) as unknown,
      });
    }
    const marker = entries.find(
      (entry) => entry.kind === "marker" && entry.epoch === request.switchEpoch && entry.seq > 1,
    );
    if (marker !== undefined) {
      const ratio = gapRatio(
        data.map((entry) => entry.appendedAtMs),
        marker.appendedAtMs,
      );
      if (ratio !== undefined) ratios.push(ratio);
    }
  }

  const seen = new Map<number, string>();
  const lanes: LaneSwitch[] = [];
  for (const lane of all.filter((each) => each.info.stream === request.source)) {
    const entries = await readAll(store, request.model, lane, signal);
    const epochs = epochsOf(entries, mistake, lane.info.id);
    const summary: LaneSwitch = { lane: lane.info.id, markerSeq: 0, before: 0, after: 0 };
    for (const entry of entries) {
      const where = `${lane.info.id}:${entry.seq}`;
      const epoch = epochs.get(entry.seq) ?? 0;
      if (entry.kind === "marker") {
        if (entry.epoch === request.switchEpoch) summary.markerSeq = entry.seq;
        continue;
      }
      if (epoch >= request.switchEpoch) summary.after += 1;
      else summary.before += 1;
      const payload = JSON.parse(decoder.decode(entry.payload)) as unknown;
      if (request.published !== undefined) {
        const { inputs, producer } = request.published;
        const number = entry.producer?.id === producer ? entry.producer.seq : undefined;
        if (number === undefined || !isDeepStrictEqual(payload, inputs[number - 1])) {
          mistake({ kind: "misapplied", where, what: "a stored entry that is no input" });
        } else if (seen.has(number)) {
          mistake({ kind: "duplicated", where, what: `input ${number} stands at ${seen.get(number)} too` });
        } else seen.set(number, where);
      }

      const expected = await request.evaluate(epoch, payload);
      const found = (results.get(where) ?? []).sort(
        (a, b) => (a.source?.index ?? 0) - (b.source?.index ?? 0),
      );
      results.delete(where);
      const indexes = new Set(found.map((each) => each.source?.index));
      if (indexes.size < found.length)
        mistake({
          kind: "duplicated",
          where,
          what: `${found.length} results, ${indexes.size} of them different`,
        });
      for (let index = 0; index < Math.max(expected.length, indexes.size); index += 1) {
        const result = found.find((each) => each.source?.index === index);
        if (result === undefined)
          mistake({ kind: "lost", where, what: `no result ${index} under epoch ${epoch}` });
        else if (result.epoch < epoch)
          mistake({
            kind: "misapplied",
            where,
            what: `result under epoch ${result.epoch}, entry under ${epoch}`,
          });
        else if (
          index >= expected.length ||
          !(await holdsUnder(request.evaluate, result.epoch, epoch, payload, expected)) ||
          !isDeepStrictEqual(JSON.parse(decoder.decode(result.payload)), expected[index])
        ) {
          mistake({
            kind: "misapplied",
            where,
            what: `epoch ${epoch}: got ${decoder.decode(result.payload)}, expected ${JSON.stringify(expected[index])}`,
          });
        }
      }
    }
    lanes.push(summary);
  }
  for (let number = 1; number <= (request.published?.inputs.length ?? 0); number += 1) {
    if (!seen.has(number))
      mistake({ kind: "lost", where: `input ${number}`, what: "was acknowledged, is in no lane" });
  }
  const inputAt = new Map([...seen].map(([number, where]) => [where, number]));
  for (const id of results.keys())
    mistake({ kind: "misapplied", where: id, what: "a result for an entry that does not exist" });
  return {
    inputs: seen.size,
    outputs,
    ...counts,
    lanes,
    gapRatio: median(ratios),
    mistakes: shown,
    records,
    inputAt,
  };
}
