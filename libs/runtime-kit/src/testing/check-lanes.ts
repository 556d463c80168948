/**
 * Judges stored lanes, with its own evaluation: it knows the model's history and the rows, nothing of how they came
 * to be. What it finds are sentences; none is what a test wants.
 *
 * I6. Each derived row was made by the program of its input's epoch, and stands under an epoch with the same program:
 *     a message meets old then old, or new then new.
 * I7. Epochs grow within a lane, and from a lane to the one that continues it.
 * I8. Each input of a lane that ended, or up to where its query got, has exactly its outputs, once, in order.
 */
import type { Entry, LaneId } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { DEAD_LETTERS_STREAM, parseEntityIdentity } from "@greco/domain/model";
import type { LaneRecord, LaneStore } from "@greco/ports";
import { evaluate } from "./scripted-host.ts";
import { MODEL, type SmallModel } from "./small-model.ts";

export type StoredLane = { readonly record: LaneRecord; readonly rows: readonly Entry[] };

export type Verdict = { readonly problems: readonly string[]; readonly judged: number };

const decoder = new TextDecoder();

/** All lanes with the rows that count: up to the end where there is one. */
export async function readLanes(laneStore: LaneStore, signal: AbortSignal): Promise<readonly StoredLane[]> {
  const records = await laneStore.listLanes(MODEL, { includeFinished: true }, signal);
  return Promise.all(
    records.map(async (record) => {
      const rows: Entry[] = [];
      const { id } = record.info;
      for (;;) {
        const page = await laneStore.read(MODEL, id, seq(rows.length + 1), 1_000, signal);
        rows.push(...page.entries);
        if (page.entries.length === 0) break;
      }
      const end = record.state.end ?? Number.POSITIVE_INFINITY;
      return { record, rows: rows.filter((row) => row.seq <= end) };
    }),
  );
}

/** `complete`: every source lane has ended and been read, so that an input without its outputs is lost. */
export function checkLanes(
  model: SmallModel,
  lanes: readonly StoredLane[],
  { complete = true }: { readonly complete?: boolean } = {},
): Verdict {
  const problems: string[] = [];
  const byId = new Map(lanes.map((lane) => [lane.record.info.id, lane]));
  checkEpochs(lanes, byId, problems);
  checkOrder(lanes, byId, problems);
  let judged = 0;
  for (const { record, rows } of lanes) {
    if (record.info.stream === DEAD_LETTERS_STREAM) continue;
    for (const query of readersEver(model, record.info.stream)) {
      const derived = lanes.filter(
        ({ record: { info } }) => info.derived?.query === query && info.derived.inputLane === record.info.id,
      );
      judged += checkUnit(
        model,
        query,
        record.info.id,
        record.info.stream,
        rows,
        derived,
        complete,
        problems,
      );
    }
  }
  return { problems, judged };
}

function checkEpochs(
  lanes: readonly StoredLane[],
  byId: ReadonlyMap<LaneId, StoredLane>,
  problems: string[],
): void {
  for (const { record, rows } of lanes) {
    const { id, predecessor } = record.info;
    let last = 0;
    for (const row of rows) {
      if (row.kind === "marker" ? row.epoch <= last : row.epoch !== last)
        problems.push(`I7 ${id}@${row.seq}: epoch ${row.epoch} after ${last}`);
      last = row.epoch;
    }
    const before = predecessor === undefined ? undefined : byId.get(predecessor)?.rows.at(-1)?.epoch;
    const first = rows[0]?.epoch;
    if (before !== undefined && first !== undefined && first < before)
      problems.push(`I7 ${id} opens at ${first}, below ${before} where ${predecessor} ended`);
  }
}

/** The first lane of a unit in a stream continues those of its query on the lane that its input continues. */
function checkOrder(
  lanes: readonly StoredLane[],
  byId: ReadonlyMap<LaneId, StoredLane>,
  problems: string[],
): void {
  const unitOf = ({ record: { info } }: StoredLane): string =>
    `${info.derived?.query} ${info.derived?.inputLane} ${info.stream}`;
  const units = new Map<string, StoredLane[]>();
  for (const lane of lanes) units.set(unitOf(lane), [...(units.get(unitOf(lane)) ?? []), lane]);
  for (const { record } of lanes) {
    const { id, stream, derived, predecessor } = record.info;
    if (derived === undefined) continue;
    const before = byId.get(derived.inputLane)?.record.info.predecessor;
    const earlier = units.get(`${derived.query} ${before} ${stream}`) ?? [];
    if (earlier.length > 0 && predecessor === undefined)
      problems.push(`order ${id} continues none of ${earlier.map((each) => each.record.info.id).join(" ")}`);
  }
}

/** Identities of queries that read the stream at some epoch. */
function readersEver(model: SmallModel, stream: EntityIdentity): readonly EntityIdentity[] {
  const { name } = parseEntityIdentity(stream);
  const readers = new Set<EntityIdentity>();
  for (const [at, graph] of model.history.entries())
    for (const entity of graph.values())
      if (entity.kind === "query" && (entity.spec as { from: string }).from === name)
        readers.add(model.identity("query", entity.name, at));
  return [...readers];
}

/** What the query does at an epoch with this stream: its program's text, or undefined. */
function programAt(
  model: SmallModel,
  at: number,
  query: EntityIdentity,
  stream: EntityIdentity,
): string | undefined {
  const { name } = parseEntityIdentity(query);
  const spec = model.queryAt(at, name);
  if (spec === undefined || model.identity("query", name, at) !== query) return undefined;
  if (model.identity("stream", spec.from, at) !== stream) return undefined;
  const tables = [...(spec.tables ?? [])].toSorted().map((table) => {
    const content = JSON.parse(model.contentAt(at, "table", table)) as { v: number };
    return `+${table}.v${content.v}`;
  });
  return [`${name}.v${spec.v}`, ...tables].join("");
}

type Effect = { readonly lane: LaneId; readonly row: Entry & { kind: "data" }; readonly text: string };

function checkUnit(
  model: SmallModel,
  query: EntityIdentity,
  lane: LaneId,
  stream: EntityIdentity,
  inputs: readonly Entry[],
  derived: readonly StoredLane[],
  complete: boolean,
  problems: string[],
): number {
  const bySeq = new Map<number, Effect[]>();
  const furthestIn = new Map<EntityIdentity, number>();
  for (const { record, rows } of inChainOrder(derived)) {
    for (const row of rows) {
      if (row.kind !== "data") continue;
      const { id, stream: target } = record.info;
      const at = row.source?.seq ?? 0;
      const last = furthestIn.get(target) ?? 0;
      if (at < last) problems.push(`I8 ${id}@${row.seq}: input ${at} after ${last}`);
      furthestIn.set(target, at);
      const isLetter = record.info.stream === DEAD_LETTERS_STREAM;
      const text = isLetter ? letterOf(row.payload) : decoder.decode(row.payload);
      bySeq.set(at, [...(bySeq.get(at) ?? []), { lane: id, row, text }]);
      // I6: the row stands under an epoch at which the query has the same program.
      const made = programAt(model, inputs[at - 1]?.epoch ?? 0, query, stream);
      if (!isLetter && programAt(model, row.epoch, query, stream) !== made)
        problems.push(`I6 ${id}@${row.seq}: made by ${made}, stands under epoch ${row.epoch}`);
    }
  }
  const furthest = complete ? Number.POSITIVE_INFINITY : Math.max(0, ...bySeq.keys());
  let judged = 0;
  for (const input of inputs) {
    if (input.kind !== "data" || input.seq > furthest) continue;
    const program = programAt(model, input.epoch, query, stream);
    const wanted = program === undefined ? [] : evaluate(program, decoder.decode(input.payload));
    const texts = (bySeq.get(input.seq) ?? []).map(({ text }) => text);
    const expected = "failed" in wanted ? [`letter ${wanted.failed}`] : wanted;
    if (expected.length > 0) judged += 1;
    if (texts.join(" ") !== expected.join(" "))
      problems.push(
        `I6/I8 ${query} on ${lane}@${input.seq} (epoch ${input.epoch}): [${texts.join(" ")}], not [${expected.join(" ")}]`,
      );
  }
  return judged;
}

function letterOf(payload: Uint8Array): string {
  const { reason } = JSON.parse(decoder.decode(payload)) as { reason: string };
  return `letter ${reason.toLowerCase()}`;
}

/** Each lane behind those that it continues. */
function inChainOrder(lanes: readonly StoredLane[]): readonly StoredLane[] {
  const depth = (lane: StoredLane): number => {
    const before = lanes.find(({ record }) => record.info.id === lane.record.info.predecessor);
    return before === undefined ? 0 : depth(before) + 1;
  };
  return lanes.toSorted((a, b) => depth(a) - depth(b));
}
