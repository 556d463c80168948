// Run as a process of its own by kill.int.ts: writes to all stores without end, and prints each acknowledgement.
//
//   node kill-child.ts FOLDER NAME
//
// NAME tells the children of one folder apart.
import { writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { LaneId, Seq, WriterId } from "@greco/domain/lane";
import type { ConductorId, EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { Clock } from "@greco/ports";
import { openEmbeddedBindingStore } from "../binding-store.ts";
import { openEmbeddedCpStore } from "../cp-store.ts";
import { openEmbeddedLaneStore } from "../lane-store.ts";

const [folder = "", name = ""] = process.argv.slice(2);
const signal = new AbortController().signal;
const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, each) => delay(ms, undefined, { signal: each }),
};
const cp = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
const lanes = await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock });
const bindings = await openEmbeddedBindingStore({ path: join(folder, "bindings.db"), clock });
const model = "m" as ModelId;
const conductor = name as ConductorId;

/** Straight to the pipe: what is printed survives the process. */
const acknowledge = (what: string, number: number): void => {
  writeSync(1, `${what} ${number}\n`);
};

async function rows(lane: LaneId): Promise<void> {
  const stream = "stream/s@1" as EntityIdentity;
  await lanes.registerLane({ model, id: lane, stream, writer: "w" as WriterId, registeredAtMs: 0 }, signal);
  for (let seq = 1; ; seq += 3) {
    const entries = [seq, seq + 1, seq + 2].map((each) => ({
      kind: "data" as const,
      seq: each as Seq,
      epoch: 1 as Epoch,
      appendedAtMs: 0,
      key: "",
      payload: new TextEncoder().encode(`${lane} ${each}`),
    }));
    await lanes.append(model, [{ lane, entries }], signal);
    acknowledge(lane, seq + 2);
  }
}

async function transactions(): Promise<void> {
  for (let number = 1; ; number++) {
    const value = new TextEncoder().encode(String(number));
    const then = [`${name}/a/${number}`, `${name}/b/${number}`].map((key) => ({
      type: "put" as const,
      key,
      value,
    }));
    await cp.transact({ compare: [], then }, signal);
    acknowledge("cp", number);
  }
}

async function journal(): Promise<void> {
  const { incarnation } = await bindings.takeConductor(model, conductor, signal);
  for (let sequence = 1; ; sequence++) {
    await bindings.appendJournal(
      model,
      conductor,
      incarnation,
      [{ sequence, json: `"${sequence}"` }],
      signal,
    );
    acknowledge("journal", sequence);
  }
}

await Promise.all([rows(`${name}-1` as LaneId), rows(`${name}-2` as LaneId), transactions(), journal()]);
