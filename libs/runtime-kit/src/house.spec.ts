import type { ReadRange } from "@greco/domain/epoch";
import type { LaneInfo } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { epoch, modelId } from "@greco/domain/model";
import type { Claim, LaneRecord } from "@greco/ports";
import { expect, it } from "vitest";
import { House } from "./house.ts";
import type { LaneSpan } from "./lane-spans.ts";
import { Q, S, T } from "./testing/model.ts";

type LaneOf = { readonly end?: number; readonly info?: Partial<LaneInfo>; readonly span?: [number, number] };

const reads = (since = 1, until?: number): ReadRange => ({
  query: Q,
  stream: S,
  since: epoch(since),
  ...(until === undefined ? {} : { until: epoch(until) }),
});
const done = (lane: string): Claim => ({
  query: Q,
  inputLane: laneId(lane),
  writer: writerId("w"),
  runtime: "r",
  generation: 2,
  done: true,
});

function house(
  lanes: Readonly<Record<string, LaneOf>>,
  claims: readonly Claim[] = [],
  ranges: readonly ReadRange[] = [reads()],
  formerGroups: ReadonlyMap<LaneInfo["id"], string> = new Map(),
): { house: House; lane: (id: string) => LaneRecord } {
  const records = Object.entries(lanes).map(([id, { end, info }]): LaneRecord => {
    const fixed = {
      model: modelId("m"),
      id: laneId(id),
      stream: S,
      writer: writerId("w"),
      registeredAtMs: 0,
    };
    const state = { closeRequested: false, firstRetained: seq(1) };
    return { info: { ...fixed, ...info }, state: end === undefined ? state : { ...state, end: seq(end) } };
  });
  const spans = new Map<LaneInfo["id"], LaneSpan>();
  for (const [id, { span }] of Object.entries(lanes))
    if (span !== undefined) spans.set(laneId(id), { opened: epoch(span[0]), ended: epoch(span[1]) });
  const found = new House({ lanes: records, spans, ranges, claims, formerGroups });
  return { house: found, lane: (id) => records.find(({ info }) => info.id === id) as LaneRecord };
}

const behind = (predecessor: string, more: Partial<LaneInfo> = {}): Partial<LaneInfo> => ({
  predecessor: laneId(predecessor),
  ...more,
});
const grouped = (index: number, more: Partial<LaneInfo> = {}): Partial<LaneInfo> => ({
  group: { id: "g", index, size: 2 },
  ...more,
});

it("reads a lane after those that it continues", () => {
  const lanes = { old: { end: 5 }, next: { info: behind("old") } };
  const before = house(lanes);
  expect(before.house.isReady(Q, before.lane("next"))).toBe(false);
  const after = house(lanes, [done("old")]);
  expect(after.house.isReady(Q, after.lane("next"))).toBe(true);
});

it("reads a lane after the whole group of the one that it names, gone or not", () => {
  const lanes = { a: { end: 5, info: grouped(0) }, b: { info: grouped(1) }, next: { info: behind("a") } };
  const open = house(lanes, [done("a")]);
  expect(open.house.isReady(Q, open.lane("next"))).toBe(false);
  const both = house(lanes, [done("a"), done("b")]);
  expect(both.house.isReady(Q, both.lane("next"))).toBe(true);
  const { a: _, ...without } = lanes;
  const former = house(without, [], [reads()], new Map([[laneId("a"), "g"]]));
  expect(former.house.isReady(Q, former.lane("next"))).toBe(false);
});

it("R5: reads a lane that was taken over after the one that it continues, and beside the others of their group", () => {
  const lanes = {
    a: { end: 5, info: grouped(0) },
    b: { end: 5, info: grouped(1) },
    again: { end: 7, info: grouped(0, behind("a")) },
    next: { info: behind("a", { group: { id: "h", index: 0, size: 1 } }) },
  };
  const early = house(lanes);
  expect(early.house.isReady(Q, early.lane("again"))).toBe(false);
  const a = house(lanes, [done("a")]);
  expect(a.house.isReady(Q, a.lane("again"))).toBe(true);
  const first = house(lanes, [done("a"), done("b")]);
  expect(first.house.isReady(Q, first.lane("next"))).toBe(false);
  const all = house(lanes, [done("a"), done("b"), done("again")]);
  expect(all.house.isReady(Q, all.lane("next"))).toBe(true);
  const { a: _, ...left } = lanes;
  const gone = house(left, [done("again")], [reads()], new Map([[laneId("a"), "g"]]));
  expect(gone.house.isReady(Q, gone.lane("again"))).toBe(true);
  expect(gone.house.isFinished(gone.lane("again"))).toBe(true);
});

it("looks through a lane that the query does not read", () => {
  const lanes = {
    first: { end: 5, span: [1, 2] as [number, number] },
    second: { end: 5, span: [3, 3] as [number, number], info: behind("first") },
    third: { info: behind("second") },
  };
  const ranges = [reads(1, 3), reads(4)];
  const waiting = house(lanes, [], ranges);
  expect(waiting.house.readersOf(waiting.lane("second"))).toEqual([]);
  expect(waiting.house.isReady(Q, waiting.lane("third"))).toBe(false);
  const ready = house(lanes, [done("first")], ranges);
  expect(ready.house.isReady(Q, ready.lane("third"))).toBe(true);
});

it("finishes a lane that has ended and that everybody has read", () => {
  const open = house({ a: {} }, [done("a")]);
  expect(open.house.isFinished(open.lane("a"))).toBe(false);
  const unread = house({ a: { end: 5, span: [1, 1] } });
  expect(unread.house.isFinished(unread.lane("a"))).toBe(false);
  const read = house({ a: { end: 5, span: [1, 1] } }, [done("a")]);
  expect(read.house.isFinished(read.lane("a"))).toBe(true);
  const nobodys = house({ a: { end: 5, span: [1, 1] } }, [], [reads(2)]);
  expect(nobodys.house.isFinished(nobodys.lane("a"))).toBe(true);
});

it("finishes lanes in the order of their chain", () => {
  const chain = house({ a: { end: 5 }, b: { end: 5, info: behind("a") } }, [done("a"), done("b")]);
  expect(chain.house.isFinished(chain.lane("b"))).toBe(false);
  expect(chain.house.isFinished(chain.lane("a"))).toBe(true);
  const group = house(
    { a: { end: 5, info: grouped(0) }, b: { end: 5, info: behind("x") } },
    [done("b")],
    [reads()],
    new Map([[laneId("x"), "g"]]),
  );
  expect(group.house.isFinished(group.lane("b"))).toBe(false);
});

it("R7: keeps the derived lane that shows how far its query has come, while its input lives", () => {
  const derived = { derived: { query: Q, inputLane: laneId("in") }, stream: T };
  const last = house({ in: {}, out: { end: 5, info: derived } });
  expect(last.house.isFinished(last.lane("out"))).toBe(false);
  const continued = house({
    in: {},
    out: { end: 5, info: derived },
    next: { info: { ...derived, ...behind("out") } },
  });
  expect(continued.house.isFinished(continued.lane("out"))).toBe(true);
  const gone = house({ out: { end: 5, info: derived } });
  expect(gone.house.isFinished(gone.lane("out"))).toBe(true);
});
