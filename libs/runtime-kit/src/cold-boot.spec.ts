import type { BindingRef } from "@greco/domain/epoch";
import { candidateId, modelId, type EntityIdentity } from "@greco/domain/model";
import { simulatedClock, type SimulatedClock } from "@greco/simulation";
import { beforeEach, expect, it } from "vitest";
import { ColdBooter, type ColdBoot } from "./cold-boot.ts";
import { directLog } from "./testing/world.ts";

const log = directLog([]);
const limits = { coldBootMs: 100, coldBootMaxMs: 400, coldBootDeadlineMs: 1_000 };
const binding = (name: string): BindingRef => ({
  entity: `query/${name}@1` as EntityIdentity,
  candidate: candidateId("c"),
  hash: "h",
});

let clock: SimulatedClock;
let asked: { readonly atMs: number; readonly names: readonly string[] }[];
let stop: AbortController;

beforeEach(() => {
  clock = simulatedClock();
  asked = [];
  stop = new AbortController();
});

function booter(answer: ColdBoot = () => Promise.resolve()): ColdBooter {
  const startMs = clock.monotonicMs();
  const ask: ColdBoot = (request, signal) => {
    const names = request.bindings.map(({ entity }) => entity.slice("query/".length, -"@1".length));
    asked.push({ atMs: clock.monotonicMs() - startMs, names });
    return answer(request, signal);
  };
  return new ColdBooter({ model: modelId("m"), ask, clock, log, limits, signal: stop.signal });
}

/** As a lane does that holds: it looks again every 20 ms. */
async function hold(cold: ColdBooter, names: readonly string[], forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms += 20) {
    for (const name of names) cold.missed(binding(name));
    await clock.advance(20);
  }
}

it("I12: asks at once, then less and less often, as long as something is missed", async () => {
  const cold = booter(() => Promise.reject(new Error("down")));
  await hold(cold, ["a"], 1_600);
  expect(asked.map(({ atMs }) => atMs)).toEqual([0, 100, 300, 700, 1_100, 1_500]);
});

it("asks for all that is due in one request, and begins anew with what was there meanwhile", async () => {
  const cold = booter();
  await hold(cold, ["a", "b", "c"], 100);
  expect(asked.map(({ names }) => names)).toEqual([["a"], ["b", "c"]]);
  await hold(cold, ["a"], 1_000);
  await clock.advance(1_000);
  asked = [];
  await hold(cold, ["d"], 20);
  await hold(cold, ["a"], 20);
  expect(asked.map(({ names }) => names)).toEqual([["d"], ["a"]]);
});

it("I9: gives up a request without an answer, has no second one under way, and ends with its signal", async () => {
  const ended: unknown[] = [];
  const cold = booter(
    (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          ended.push(signal.reason);
          reject(signal.reason as Error);
        });
      }),
  );
  await hold(cold, ["a", "b"], 980);
  expect(asked).toHaveLength(1);
  await hold(cold, ["a", "b"], 60);
  expect(ended).toEqual([expect.objectContaining({ message: "no answer within 1000 ms" })]);
  expect(asked).toHaveLength(2);
  stop.abort(new Error("over"));
  await hold(cold, ["a", "b"], 2_000);
  expect(asked).toHaveLength(2);
  expect(ended).toHaveLength(2);
});

it("I10: one request holds no more than the contract takes", async () => {
  const cold = booter();
  const names = Array.from({ length: 250 }, (_, at) => `q${at}`);
  await hold(cold, names, 100);
  expect(Math.max(...asked.map((each) => each.names.length))).toBe(100);
  expect(new Set(asked.flatMap((each) => each.names)).size).toBe(250);
});
