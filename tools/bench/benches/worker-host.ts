// What it costs to run a query of expressions on a worker thread, beside what nobody can save: reading the message and
// writing the result (docs/decisions/0031-worker-host.md).
import { setTimeout as delay } from "node:timers/promises";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import type { Clock, Invocation, Log, Program } from "@greco/ports";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show } from "../measure.ts";

const ROUNDS = 15;
const MESSAGES = 40_000;
/** As runtimes call it: batches of some hundreds, of several lanes at once. */
const BATCH = 500;
const LANES = 4;
const RATIO_MAX = 5;

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};
const ignore = (): void => undefined;
const log: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => log };

const flight = (index: number): Record<string, unknown> => ({
  date: "2001/01/10 12:30",
  delay: 130 + (index % 7),
  distance: 650,
  origin: "ABE",
  destination: "ORD",
});
const row = {
  type: "object",
  properties: { id: { type: "string" }, max: { type: "number" }, pay: { type: "number" } },
};
const bands = {
  name: "bands",
  key: "id",
  schema: row,
  rows: [
    { id: "short", max: 500, pay: 250 },
    { id: "long", max: 10_000, pay: 600 },
  ],
};
const query = {
  name: "compensation",
  from: "flights",
  to: "payments",
  tables: ["bands"],
  where: "event.delay >= 120",
  select: {
    date: "event.date",
    delay: "event.delay",
    pay: "event.distance < tables.bands['short'].max ? tables.bands['short'].pay : tables.bands['long'].pay",
  },
  onError: { retries: 0, then: "skip" },
  timeoutMs: 10_000,
  schemas: {
    from: {
      type: "object",
      properties: { date: { type: "string" }, delay: { type: "number" }, distance: { type: "number" } },
    },
    tables: { bands: row },
  },
};
const program: Program = {
  id: "bench",
  query: JSON.stringify(query),
  tables: { bands: JSON.stringify(bands) },
};

const batch: readonly Invocation[] = Array.from({ length: BATCH }, (_, index) => ({
  payload: Buffer.from(JSON.stringify(flight(index))),
  key: "",
  idempotencyKey: "",
  context: { lane: "lane", seq: index, epoch: 1 },
}));

/** The same work without CEL, checks and a second thread. */
function bare(): number {
  let bytes = 0;
  for (let index = 0; index < MESSAGES; index++) {
    const payload = Buffer.from(batch[index % BATCH]?.payload ?? []);
    const event = JSON.parse(payload.toString()) as Record<string, number>;
    const pay = (event["distance"] ?? 0) < 500 ? 250 : 600;
    const late = (event["delay"] ?? 0) >= 120;
    if (late)
      bytes += Buffer.from(JSON.stringify({ date: event["date"], delay: event["delay"], pay })).length;
  }
  return bytes;
}

async function run({ signal }: BenchContext): Promise<Measured> {
  await using host = createWorkerFunctionHost({ threads: 1, clock, log });
  await host.load(program, signal);
  const hosted = async (): Promise<void> => {
    let left = MESSAGES;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= BATCH;
        const outcomes = await host.invoke(program.id, batch, signal);
        if (outcomes.some((outcome) => outcome.type === "failed")) throw new Error("a message failed");
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  };
  const { a, b, ratio } = await interleaved(ROUNDS, { a: hosted, b: () => void bare(), warmups: 4 });
  const perSecond = (ms: number): string => `${Math.round(MESSAGES / ms)}k/s`;
  return {
    figure: `${perSecond(a.median)} through one worker, ${perSecond(b.median)} bare: ratio ${show(ratio)}`,
    pass: ratio.median <= RATIO_MAX,
    details: { host: a, bare: b, ratio },
  };
}

export const bench: Bench = {
  id: "worker-host",
  title: "CEL messages a second by the worker host",
  limit: `≤ ${RATIO_MAX} × the time of JSON.parse and JSON.stringify alone`,
  run,
};
