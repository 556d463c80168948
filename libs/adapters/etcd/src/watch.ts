/**
 * A watch as its reader sees it: batches of whole revisions, in order. What comes while nobody reads is held up to a
 * bound; then the watch is given up at the server, and made again behind what was read, so that a slow reader costs
 * neither memory nor the others' time.
 */
import { StoreUnavailableError, type WatchBatch, type WatchEvent } from "@greco/ports";
import type { IEvent } from "etcd3";
import type { EtcdLimits } from "./limits.ts";
import type { HubWatch, WatchHub } from "./watch-hub.ts";
import type { EtcdRange, Wire } from "./wire.ts";

export type WatchParts = {
  readonly hub: WatchHub;
  readonly wire: Wire;
  readonly limits: Pick<EtcdLimits, "watchEvents" | "watchBytes">;
};

type Held = WatchBatch & { readonly bytes: number };

const sizeOf = (events: readonly IEvent[]): number =>
  events.reduce((sum, { kv }) => sum + kv.key.length + kv.value.length, 0);

/** Batches between the stream and the reader. */
function createShelf({ wire, limits }: Pick<WatchParts, "wire" | "limits">): {
  readonly isFull: boolean;
  readonly isEmpty: boolean;
  put(events: readonly IEvent[], revision: number): void;
  take(): WatchBatch | undefined;
} {
  const held: Held[] = [];
  let events = 0;
  let bytes = 0;
  return {
    get isFull() {
      return events >= limits.watchEvents || bytes >= limits.watchBytes;
    },
    get isEmpty() {
      return held.length === 0;
    },
    put(raw, revision) {
      // Of marks nobody has read, the last one says it all.
      if (raw.length === 0 && held.at(-1)?.events.length === 0) held.pop();
      const mapped: WatchEvent[] = raw.map((event) => wire.event(event));
      const batch = { events: mapped, revision, bytes: sizeOf(raw) };
      held.push(batch);
      events += mapped.length;
      bytes += batch.bytes;
    },
    take() {
      const batch = held.shift();
      if (batch === undefined) return undefined;
      events -= batch.events.length;
      bytes -= batch.bytes;
      return { events: batch.events, revision: batch.revision };
    },
  };
}

/** `start`: everything behind that revision. */
export async function* watch(
  { hub, wire, limits }: WatchParts,
  range: EtcdRange,
  start: Promise<number>,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  signal.throwIfAborted();
  const shelf = createShelf({ wire, limits });
  let ended: Error | undefined;
  let news = Promise.withResolvers<void>();
  const onAbort = (): void => news.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  let source: HubWatch | undefined;
  let paused = false;
  try {
    source = hub.watch(range, await start, {
      deliver(events, revision) {
        shelf.put(events, revision);
        if (shelf.isFull && !paused) {
          paused = true;
          source?.pause();
        }
        news.resolve();
      },
      end(error) {
        ended = error;
        news.resolve();
      },
    });
    for (;;) {
      signal.throwIfAborted();
      const batch = shelf.take();
      if (batch !== undefined) {
        yield batch;
        continue;
      }
      if (ended !== undefined) throw ended;
      if (paused) {
        paused = false;
        source.resume();
      }
      await news.promise;
      news = Promise.withResolvers<void>();
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    source?.close();
  }
}

/** Up to where history is gone. etcd tells it to a watch that asks for what is gone, and to nobody else. */
export function compactRevision(hub: WatchHub, range: EtcdRange, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  const source = hub.watch(range, 0, {
    deliver: () => resolve(0),
    end(error) {
      if ("compactRevision" in error) resolve(error.compactRevision as number);
      else reject(new StoreUnavailableError(error.message, { cause: error }));
    },
  });
  return promise.finally(() => {
    signal.removeEventListener("abort", onAbort);
    source.close();
  });
}
