// What durability costs on the embedded stores (docs/decisions/0020-embedded-durability.md): every write is synced before
// it is answered, so many writes must share a sync. Ratios within one run: a slower disk makes them smaller.
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openEmbeddedCpStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import type { LaneId, Seq, WriterId } from "@greco/domain/lane";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { Clock, LaneStore } from "@greco/ports";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show } from "../measure.ts";

const ROUNDS = 150;
const LANES = 64;
const PAYLOAD = new Uint8Array(300).fill(65);
/** A lane's row, and a transaction's, are little beside the page that SQLite logs them in. */
const LOGGED_BYTES = 4_096;

/** A quarter of what the rows would cost one by one. */
const GROUP_MAX = LANES / 4;
const TRANSACTION_MAX = 4;

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};
const model = "bench" as ModelId;

/** Appends one row to each of the first `count` lanes, in one turn. */
function appender(store: LaneStore, signal: AbortSignal): (count: number) => Promise<void> {
  const next = Array.from({ length: LANES }, () => 1);
  return async (count) => {
    const rows = Array.from({ length: count }, (_, index) => {
      const seq = next[index] ?? 1;
      next[index] = seq + 1;
      const entry = { kind: "data", seq: seq as Seq, epoch: 1 as Epoch, appendedAtMs: 0, key: "" } as const;
      const appends = [{ lane: `lane-${index}` as LaneId, entries: [{ ...entry, payload: PAYLOAD }] }];
      return store.append(model, appends, signal);
    });
    await Promise.all(rows);
  };
}

async function appends(folder: string, signal: AbortSignal): Promise<{ text: string; ratio: number }> {
  await using store = await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock });
  const stream = "stream/bench@1" as EntityIdentity;
  const fixed = { model, stream, writer: "bench" as WriterId, registeredAtMs: 0 };
  for (let index = 0; index < LANES; index++)
    await store.registerLane({ ...fixed, id: `lane-${index}` as LaneId }, signal);
  const append = appender(store, signal);
  const { a, b, ratio } = await interleaved(ROUNDS, { a: () => append(LANES), b: () => append(1) });
  const rate = Math.round((LANES / a.median) * 1_000);
  return {
    text: `${LANES} lanes in one turn ${show(a, " ms")} (${rate} durable rows/s), one ${show(b, " ms")}: ratio ${show(ratio)}`,
    ratio: ratio.median,
  };
}

async function transactions(folder: string, signal: AbortSignal): Promise<{ text: string; ratio: number }> {
  await using store = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  const file = openSync(join(folder, "bare"), "w");
  const bytes = new Uint8Array(LOGGED_BYTES);
  const transact = async (index: number): Promise<void> => {
    const then = [{ type: "put", key: `key/${index}`, value: PAYLOAD }] as const;
    await store.transact({ compare: [{ key: "head", target: "version", is: "=", value: 0 }], then }, signal);
  };
  const bare = (): undefined => {
    writeSync(file, bytes);
    fdatasyncSync(file);
  };
  try {
    const { a, b, ratio } = await interleaved(ROUNDS, { a: transact, b: async () => bare() });
    return {
      text: `a CP transaction ${show(a, " ms")}, a page written and synced ${show(b, " ms")}: ratio ${show(ratio)}`,
      ratio: ratio.median,
    };
  } finally {
    closeSync(file);
  }
}

async function run({ signal }: BenchContext): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "greco-bench-"));
  try {
    const group = await appends(folder, signal);
    const single = await transactions(folder, signal);
    return {
      figure: `${group.text}; ${single.text}`,
      pass: group.ratio <= GROUP_MAX && single.ratio <= TRANSACTION_MAX,
      details: { group: group.ratio, transaction: single.ratio },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const bench: Bench = {
  id: "embedded",
  title: "durable writes on the embedded stores",
  limit: `${LANES} lanes' appends in one turn ≤ ${GROUP_MAX} × one; a CP transaction ≤ ${TRANSACTION_MAX} × a synced page`,
  run,
};
