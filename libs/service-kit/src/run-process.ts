/**
 * The life of a service's process: start, serve until it is told to stop, dispose within a deadline, exit.
 *
 * X1. The first SIGTERM or SIGINT disposes; a second one, or the deadline, ends the process at once.
 * X2. Exit codes: 0 stopped as told; 1 the start or the disposal failed, or it took too long; 130/143 forced.
 */
import { systemClock } from "./clock.ts";
import { errorChain } from "./log.ts";
import type { Clock, Log } from "@greco/ports";
import { ConfigError } from "./config.ts";

/** What an app's start returns. */
export interface Running extends AsyncDisposable {
  /** `127.0.0.1:50051` */
  readonly address: string;
  /** `http://127.0.0.1:8080` */
  readonly connectAddress?: string;
}

/** What of the process is used; a test gives its own. */
export type ProcessHost = {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): void;
  off(signal: "SIGTERM" | "SIGINT", listener: () => void): void;
  exit(code: number): void;
};

export type RunOptions = {
  readonly log: Log;
  readonly clock?: Clock;
  readonly host?: ProcessHost;
  /** Shorter than the 30 s that orchestrators give, longer than a server's own drain. */
  readonly disposeWithinMs?: number;
};

const DISPOSE_WITHIN_MS = 20_000;

const signals = { SIGTERM: 143, SIGINT: 130 } as const;

/** Resolves when the process has been told to exit. `start`'s signal aborts when it is to stop meanwhile. */
export async function runProcess(
  start: (signal: AbortSignal) => Promise<AsyncDisposable>,
  { log, clock = systemClock, host = process, disposeWithinMs = DISPOSE_WITHIN_MS }: RunOptions,
): Promise<void> {
  const stopping = new AbortController();
  const listeners = Object.entries(signals).map(([name, forcedCode]) => {
    const listener = (): void => {
      if (stopping.signal.aborted) {
        log.warn("process.forced", { signal: name });
        host.exit(forcedCode); // X1
      } else stopping.abort(new StopError(name));
    };
    return { name: name as keyof typeof signals, listener };
  });
  for (const { name, listener } of listeners) host.on(name, listener);
  try {
    host.exit(await lifetime(start, stopping.signal, log, clock, disposeWithinMs));
  } finally {
    for (const { name, listener } of listeners) host.off(name, listener);
  }
}

class StopError extends Error {
  override name = "StopError";
  constructor(signal: string) {
    super(`stopped by ${signal}`);
  }
}

async function lifetime(
  start: (signal: AbortSignal) => Promise<AsyncDisposable>,
  stop: AbortSignal,
  log: Log,
  clock: Clock,
  disposeWithinMs: number,
): Promise<number> {
  const cutOff = (): number => {
    log.error("process.stop-late", { disposeWithinMs, consequence: "what was under way is cut off" });
    return 1;
  };
  let running: AsyncDisposable;
  const started = new AbortController();
  try {
    // What a start waits for may not know of signals.
    const late = aborted(stop).then(() => clock.sleep(disposeWithinMs, started.signal));
    const outcome = await Promise.race([start(stop), late.catch(() => undefined)]);
    if (outcome === undefined) return cutOff();
    running = outcome;
  } catch (error) {
    if (stop.aborted && error === stop.reason) return 0;
    if (error instanceof ConfigError) log.error("process.misconfigured", { problems: error.problems });
    else log.error("process.start-failed", { error: errorChain(error) });
    return 1;
  } finally {
    started.abort();
  }
  await aborted(stop);
  log.info("process.stopping", { reason: (stop.reason as Error).message });
  const deadline = new AbortController();
  const late = clock.sleep(disposeWithinMs, deadline.signal).then(
    () => "late" as const,
    () => "stopped" as const,
  );
  try {
    const outcome = await Promise.race([running[Symbol.asyncDispose](), late]);
    return outcome === "late" ? cutOff() : 0;
  } catch (error) {
    log.error("process.stop-failed", { error: errorChain(error) });
    return 1;
  } finally {
    deadline.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
