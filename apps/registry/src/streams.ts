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
  const next = async (name: N) => {
    const result = await (iterators.get(name) as AsyncIterator<WatchBatch>).next();
    return { name, result };
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
