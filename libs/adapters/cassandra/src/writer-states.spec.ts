import type { LaneInfo } from "@greco/domain/lane";
import { laneId, writerId } from "@greco/domain/lane";
import { modelId, type EntityIdentity } from "@greco/domain/model";
import { expect, it } from "vitest";
import type { LaneCore } from "./core.ts";
import { LANES_A_READ } from "./limits.ts";
import type { Row, Statement } from "./session.ts";
import { WriterStates } from "./writer-states.ts";

type Read = {
  readonly writer: string;
  readonly lanes: readonly string[];
  /** Each lane's end, as it is in the store when the read is answered. */
  readonly answer: (end: number) => Promise<void>;
  readonly fail: () => Promise<void>;
};

/** Its reads, in their order, answered one by one. */
function openStates() {
  const reads: Read[] = [];
  const row = (lane: string, end: number): Row =>
    ({ get: (column: string) => ({ lane, end_seq: end })[column] ?? null }) as unknown as Row;
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const rows = ({ values }: Statement): Promise<Row[]> => {
    const [, writer, lanes] = values as [string, string, string[]];
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    const answer = (end: number) => (resolve(lanes.map((lane) => row(lane, end))), turn());
    const fail = () => (reject(new Error("no quorum")), turn());
    reads.push({ writer, lanes: [...lanes], answer, fail });
    return promise;
  };
  /** Whoever asks is gathered for a turn of the event loop before a read begins. */
  const begun = async (): Promise<readonly Read[]> => (await turn(), reads);
  const core = { key: (model: string) => model, sites: { own: { rows } } } as unknown as LaneCore;
  const states = new WriterStates(core);
  const ask = (lane: string, writer = "w") => {
    const stream = "stream/s@1" as EntityIdentity;
    const ids = { model: modelId("m"), id: laneId(lane), writer: writerId(writer) };
    const info: LaneInfo = { ...ids, stream, registeredAtMs: 0 };
    return states.read(info, "serial").then(({ state }) => state.end);
  };
  return { begun, ask };
}

it("R2: who asks while a read is under way is answered by one that begins afterwards, with all who do", async () => {
  const { begun, ask } = openStates();
  const lanesOf = (reads: readonly Read[]) => reads.map(({ lanes }) => lanes);
  const first = [ask("a"), ask("d")];
  expect(lanesOf(await begun())).toEqual([["a", "d"]]);
  const later = ["a", "b", "b", "c"].map((lane) => ask(lane));
  expect(lanesOf(await begun())).toEqual([["a", "d"]]);
  await (await begun())[0]?.answer(1);
  expect(await Promise.all(first)).toEqual([1, 1]);
  expect(lanesOf(await begun())).toEqual([
    ["a", "d"],
    ["a", "b", "c"],
  ]);
  await (await begun())[1]?.answer(2);
  expect(await Promise.all(later)).toEqual([2, 2, 2, 2]);
  const again = ask("a");
  await (await begun())[2]?.answer(3);
  expect(await again).toBe(3);
});

it("reads of two writers do not wait for each other, and a long line is several reads", async () => {
  const { begun, ask } = openStates();
  const [one, other] = [ask("a", "w"), ask("b", "x")];
  expect((await begun()).map(({ writer }) => writer)).toEqual(["w", "x"]);
  const many = Array.from({ length: LANES_A_READ + 1 }, (_, index) => ask(`l${index}`, "w"));
  for (let next = 0; next < 4; next += 1) await (await begun())[next]?.answer(next);
  expect(await Promise.all([one, other])).toEqual([0, 1]);
  expect((await begun()).slice(2).map(({ lanes }) => lanes.length)).toEqual([LANES_A_READ, 1]);
  expect((await Promise.all(many)).at(-1)).toBe(3);
});

it("a read that fails is told to those who share it, and to nobody else", async () => {
  const { begun, ask } = openStates();
  const first = ask("a");
  const failed = expect(first).rejects.toThrow("no quorum");
  await begun();
  const second = ask("b");
  await (await begun())[0]?.fail();
  await failed;
  await (await begun())[1]?.answer(7);
  expect(await second).toBe(7);
});
