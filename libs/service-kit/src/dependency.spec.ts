import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { type DependencyParts, waitFor, watchDependency } from "./dependency.ts";
import { createLog } from "./log.ts";
import { Readiness } from "./readiness.ts";

function world() {
  const clock = simulatedClock();
  const said: { event: string; at: number; why?: string }[] = [];
  const readiness = new Readiness();
  const write = (line: string) => {
    const { event, why } = JSON.parse(line) as { event: string; why?: string };
    said.push({ event, at: clock.monotonicMs(), ...(why === undefined ? {} : { why }) });
  };
  const parts: DependencyParts = { clock, readiness, log: createLog({ service: "test", write }) };
  return { clock, said, readiness, parts, events: () => said.map(({ event }) => event) };
}

const never = new AbortController().signal;

it("waits until it can be opened, saying so at once and every 10 s, not ready meanwhile", async () => {
  const { clock, said, readiness, parts, events } = world();
  let up = false;
  const opening = waitFor(
    "etcd",
    () => (up ? Promise.resolve("opened") : Promise.reject(new Error("connection refused"))),
    parts,
    never,
  );
  await clock.advance(0);
  expect(said).toEqual([{ event: "dependency.down", at: 0, why: "connection refused" }]);
  expect(readiness.missing).toEqual(["etcd"]);
  await clock.advance(25_000);
  expect(said.slice(1).map(({ event, at }) => [event, at])).toEqual([
    ["dependency.still-down", 10_000],
    ["dependency.still-down", 20_000],
  ]);
  up = true;
  expect(await clock.drive(opening)).toBe("opened");
  expect(readiness.ready).toBe(true);
  expect(events().at(-1)).toBe("dependency.up");
  expect(clock.sleeping).toBe(0);
});

it("says that it waits for one that does not answer at all, and says nothing of one that answers soon", async () => {
  const { clock, readiness, parts, events } = world();
  const answer = Promise.withResolvers<string>();
  const opening = waitFor("cassandra", () => answer.promise, parts, never);
  await clock.advance(900);
  expect(events()).toEqual([]);
  await clock.advance(200);
  expect(events()).toEqual(["dependency.down"]);
  expect(readiness.ready).toBe(false);
  answer.resolve("opened");
  expect(await opening).toBe("opened");
  expect([readiness.ready, clock.sleeping]).toEqual([true, 0]);
});

it("ends its waiting when it is told to stop", async () => {
  const { clock, parts } = world();
  const stop = new AbortController();
  const opening = waitFor("etcd", () => Promise.reject(new Error("down")), parts, stop.signal);
  await clock.advance(50);
  stop.abort(new Error("stopped by SIGTERM"));
  await expect(opening).rejects.toThrow("stopped by SIGTERM");
  expect(clock.sleeping).toBe(0);
});

it("notices an outage and its end, and follows it with health only where it is needed", async () => {
  const { clock, readiness, parts, events } = world();
  let down = false;
  let hung = false;
  const probe = () =>
    hung ? new Promise(() => undefined) : down ? Promise.reject(new Error("gone")) : Promise.resolve();
  const needed = watchDependency("etcd", probe, { needed: true }, parts);
  const hint = watchDependency("nats", probe, { needed: false }, parts);
  await clock.advance(11_000);
  expect(events()).toEqual([]);
  down = true;
  await clock.advance(5_000);
  expect(events()).toEqual(["dependency.down", "dependency.down"]);
  expect(readiness.missing).toEqual(["etcd"]);
  [down, hung] = [false, true];
  await clock.advance(9_000);
  expect(readiness.ready).toBe(false);
  hung = false;
  await clock.advance(9_000);
  expect(readiness.ready).toBe(true);
  expect(events().filter((event) => event === "dependency.up")).toHaveLength(2);
  await needed[Symbol.asyncDispose]();
  await hint[Symbol.asyncDispose]();
  expect(clock.sleeping).toBe(0);
});
