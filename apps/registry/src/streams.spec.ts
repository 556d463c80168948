import type { WatchBatch } from "@greco/ports";
import { expect, it } from "vitest";
import { merged } from "./streams.ts";

const batch = (revision: number): WatchBatch => ({ events: [], revision });

it("throws at the next turn what has failed while its reader was busy, and nothing beside it", async () => {
  const unhandled: unknown[] = [];
  const hear = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", hear);
  try {
    const ending = new AbortController();
    const watch = async function* (signal: AbortSignal): AsyncGenerator<WatchBatch> {
      yield batch(1);
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
    };
    const batches = merged({ one: watch, other: watch }, ending.signal);
    await batches.next();
    ending.abort(new Error("over"));
    // The reader is busy for some turns, in which nobody waits for the watches.
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await expect(
      (async () => {
        for (;;) if ((await batches.next()).done === true) return;
      })(),
    ).rejects.toThrow("over");
    expect(unhandled).toEqual([]);
  } finally {
    process.off("unhandledRejection", hear);
  }
});
