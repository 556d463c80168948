/**
 * Keeps something read up to date: by polling, by hints, and at once when somebody asks. A refresh that is asked for
 * is one that begins afterwards; all who ask meanwhile share it.
 */
import type { Clock, Log } from "@greco/ports";
import { onAbort } from "./on-abort.ts";
import { Hint } from "./waiting.ts";

export type RefresherOptions = {
  readonly read: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly pollMs: number;
  /** Logged once when reading begins to fail. */
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

export class Refresher implements AsyncDisposable {
  readonly #options: RefresherOptions;
  readonly #hint = new Hint();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #loop: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(options: RefresherOptions) {
    this.#options = options;
  }

  hint(): void {
    this.#hint.give();
  }

  /** Reads once, then goes on by itself until it is disposed or the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#options.read(signal);
    const stop = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#loop = this.#run().finally(() => signal.removeEventListener("abort", stop));
  }

  /** Resolves after a read that began after this call. */
  async refresh(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#queued ??= (this.#running ?? Promise.resolve()).then(
      () => this.#begin(),
      () => this.#begin(),
    );
    await raced(this.#queued, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("no longer followed"));
    await this.#loop;
    await this.#queued?.catch(() => undefined);
  }

  #begin(): Promise<void> {
    this.#queued = undefined;
    const running = this.#options.read(this.#stop.signal);
    this.#running = running;
    const done = (): void => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(done, done);
    return running;
  }

  async #run(): Promise<void> {
    const { clock, pollMs, log, event, fields } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#hint.next(clock, pollMs, signal);
        await this.refresh(signal);
        this.#failing = false;
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#failing) log.warn(event, { ...fields, error });
        this.#failing = true;
      }
    }
  }
}

/** The promise, or the signal's reason if that comes first. */
export async function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = onAbort(signal, () => reject(signal.reason as Error));
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    leave();
  }
}
