/**
 * What a service needs from outside, and how it waits for it: services have no start order.
 *
 * W1. A dependency that is down is said at once, and again every 10 s for as long as it lasts; then that it is back.
 * W2. Opening is tried until it succeeds or the signal aborts; meanwhile the service is not ready.
 */
import type { Clock, Log } from "@greco/ports";
import type { Readiness } from "./readiness.ts";

export type DependencyParts = { readonly clock: Clock; readonly log: Log; readonly readiness: Readiness };

export type WatchOptions = {
  /** False: the service does its work without it, so its health does not follow. */
  readonly needed: boolean;
  readonly everyMs?: number;
  readonly timeoutMs?: number;
};

/** W1: as often as people look at a log that scrolls. */
const SAY_EVERY_MS = 10_000;
/** An attempt that takes longer is said to wait, though it may succeed. */
const SLOW_MS = 1_000;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 2_000;
/** Health is at most this and the time-out behind. */
const WATCH_EVERY_MS = 5_000;
const WATCH_TIMEOUT_MS = 3_000;

/** W2 */
export async function waitFor<T>(
  dependency: string,
  open: (signal: AbortSignal) => Promise<T>,
  parts: DependencyParts,
  signal: AbortSignal,
): Promise<T> {
  using outage = new Outage(dependency, true, parts);
  for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    try {
      const opened = await saidWhenSlow(open(signal), outage, parts.clock);
      outage.end();
      return opened;
    } catch (error) {
      signal.throwIfAborted();
      outage.begin(error);
      await parts.clock.sleep(pauseMs, signal);
    }
  }
}

/** Looks at it again and again, until disposed. */
export function watchDependency(
  dependency: string,
  probe: (signal: AbortSignal) => Promise<unknown>,
  { needed, everyMs = WATCH_EVERY_MS, timeoutMs = WATCH_TIMEOUT_MS }: WatchOptions,
  parts: DependencyParts,
): AsyncDisposable {
  const ending = new AbortController();
  const outage = new Outage(dependency, needed, parts);
  const look = async (): Promise<void> => {
    try {
      await within(timeoutMs, probe, parts.clock, ending.signal);
      outage.end();
    } catch (error) {
      if (!ending.signal.aborted) outage.begin(error);
    }
  };
  const watching = (async () => {
    try {
      for (;;) {
        await parts.clock.sleep(everyMs, ending.signal);
        await look();
      }
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      ending.abort(new Error(`${dependency} is no longer watched`));
      await watching;
      outage[Symbol.dispose]();
    },
  };
}

/** A dependency's being down, from the first failure to the next success. */
class Outage implements Disposable {
  readonly #dependency: string;
  readonly #needed: boolean;
  readonly #parts: DependencyParts;
  #down: { readonly sinceMs: number; readonly over: AbortController } | undefined;
  #cause: unknown;

  constructor(dependency: string, needed: boolean, parts: DependencyParts) {
    this.#dependency = dependency;
    this.#needed = needed;
    this.#parts = parts;
  }

  begin(cause: unknown): void {
    this.#cause = cause;
    if (this.#down !== undefined) return;
    const { clock, readiness } = this.#parts;
    const over = new AbortController();
    this.#down = { sinceMs: clock.monotonicMs(), over };
    if (this.#needed) readiness.set(this.#dependency, false);
    this.#say("dependency.down"); // W1
    void this.#sayAgain(over.signal);
  }

  end(): void {
    if (this.#down === undefined) return;
    const { clock, log } = this.#parts;
    log.info("dependency.up", {
      dependency: this.#dependency,
      downForMs: Math.round(clock.monotonicMs() - this.#down.sinceMs),
    });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#down?.over.abort(new Error("over"));
    this.#down = undefined;
    if (this.#needed) this.#parts.readiness.set(this.#dependency, true);
  }

  async #sayAgain(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#parts.clock.sleep(SAY_EVERY_MS, over).catch(() => undefined);
      if (!over.aborted) this.#say("dependency.still-down");
    }
  }

  #say(event: string): void {
    const { clock, log } = this.#parts;
    log.warn(event, {
      dependency: this.#dependency,
      consequence: this.#needed ? "waits for it, and says NOT_SERVING" : "goes on without it",
      downForMs: Math.round(clock.monotonicMs() - (this.#down?.sinceMs ?? clock.monotonicMs())),
      why: this.#cause instanceof Error ? this.#cause.message : String(this.#cause),
    });
  }
}

async function saidWhenSlow<T>(opening: Promise<T>, outage: Outage, clock: Clock): Promise<T> {
  const over = new AbortController();
  const slow = clock.sleep(SLOW_MS, over.signal).then(
    () => outage.begin(new Error(`no answer within ${SLOW_MS} ms`)),
    () => undefined,
  );
  try {
    return await opening;
  } finally {
    over.abort(new Error("answered"));
    await slow;
  }
}

/** Rejects when it takes too long; what was asked is then told by its signal. */
async function within(
  ms: number,
  ask: (signal: AbortSignal) => Promise<unknown>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const late = clock.sleep(ms, either).then(
    () => Promise.reject(new Error(`no answer within ${ms} ms`)),
    () => undefined,
  );
  try {
    await Promise.race([ask(either), late.then(() => new Promise<never>(() => undefined))]);
  } finally {
    over.abort(new Error("answered, or too late"));
  }
}
