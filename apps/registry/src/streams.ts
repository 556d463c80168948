/** Two watches as one. */
import type { WatchBatch } from "@greco/ports";

type Watches<N extends string> = Readonly<Record<N, (signal: AbortSignal) => AsyncIterable<WatchBatch>>>;

/** Batches of all watches as they come; one that fails ends all, and leaving the loop ends them too. */
export async function* merged<N extends string>(
  watches: Watches<N>,
  signal: AbortSignal,
): AsyncGenerator<{ readonly name: N; readonly batch: WatchBatch }, void, undefined> {
  const ending = new AbortController();
  const own = AbortSignal.any([signal, ending.signal]);
  const iterators = new Map(
    (Object.keys(watches) as N[]).map((name) => [name, watches[name](own)[Symbol.asyncIterator]()]),
  );
  const next = (name: N) => {
    const iterator = iterators.get(name) as AsyncIterator<WatchBatch>;
    const pending = iterator.next().then((result) => ({ name, result }));
    // It may fail while the reader is busy with the batch before; the next turn throws it.
    pending.catch(() => undefined);
    return pending;
  };
  const waiting = new Map([...iterators.keys()].map((name) => [name, next(name)]));
  try {
    for (;;) {
      const { name, result } = await Promise.race(waiting.values());
      if (result.done === true) return;
      waiting.set(name, next(name));
      yield { name, batch: result.value };
    }
  } finally {
    ending.abort(new Error("nobody reads any more"));
    await Promise.allSettled(waiting.values());
  }
}
