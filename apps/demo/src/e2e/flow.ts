/**
 * The flights as they come in, for as long as a test lasts: one producer with an id, over several ingresses. It moves
 * to the next one when the one that it is at dies or falls silent (R5).
 */
import type { Clock } from "@greco/ports";
import { GrecoError } from "@greco/sdk";
import type { Progress, Publisher } from "../publisher.ts";
import type { Clients } from "../story.ts";

export type FlowOptions = {
  readonly publisher: Publisher;
  readonly inputs: readonly unknown[];
  /** In the order in which they are tried; after the last one the first again. */
  readonly ingresses: readonly Clients["ingress"][];
  readonly clock: Clock;
  /** An ingress that acknowledged, and then acknowledges nothing for so long, is left. */
  readonly silenceMs: number;
  /** The same for one that has not acknowledged anything yet: it may have to seal the lanes of the one before. */
  readonly patienceMs: number;
};

const LOOK_MS = 100;
/** Never right however often it is said again. */
const REFUSED = new Set(["INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED"]);

export class Flow {
  readonly #options: FlowOptions;
  readonly #ended = new AbortController();
  #running: Promise<void> | undefined;
  #moves = 0;
  #at = 0;

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  get progress(): Progress {
    return this.#options.publisher.progress;
  }

  /** Which ingress it is at, by its index among those that it was given. */
  get at(): number {
    return this.#at;
  }

  /** How often it went to another ingress. */
  get moves(): number {
    return this.#moves;
  }

  /** Until it is stopped or ended. */
  start(): void {
    if (this.#running !== undefined) throw new Error("it flows already");
    this.#running = this.#run(this.#ended.signal);
    // Told to whoever waits for it.
    this.#running.catch(() => undefined);
  }

  /** Resolves when so many more are acknowledged as there are now. */
  async more(count: number, signal: AbortSignal): Promise<void> {
    const due = this.progress.acknowledged + count;
    const broken = this.#running ?? Promise.reject(new Error("start() first"));
    let done = false;
    const grown = async (): Promise<void> => {
      while (!done && this.progress.acknowledged < due) await this.#options.clock.sleep(LOOK_MS, signal);
    };
    try {
      await Promise.race([grown(), broken]);
      if (this.progress.acknowledged < due) throw new Error("the inputs have come to their end");
    } finally {
      done = true;
    }
  }

  /** Sends nothing new; resolves when all that was sent is acknowledged: how much that is. */
  async stop(): Promise<number> {
    this.#options.publisher.stop();
    await this.#running;
    return this.progress.acknowledged;
  }

  /** Gives up at once. */
  async end(): Promise<void> {
    this.#ended.abort(new Error("the flow was ended"));
    await this.#running?.catch(() => undefined);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { ingresses, publisher, inputs, clock } = this.#options;
    for (let turn = 0; ; turn += 1) {
      this.#at = turn % ingresses.length;
      const ingress = ingresses[this.#at];
      if (ingress === undefined) throw new Error("there is no ingress to publish at");
      const attempt = new AbortController();
      const silence = this.#onSilence(attempt);
      try {
        await publisher.publish(ingress, inputs, AbortSignal.any([signal, attempt.signal]));
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!attempt.signal.aborted && (!(error instanceof GrecoError) || REFUSED.has(error.code)))
          throw error;
        this.#moves += 1;
      } finally {
        attempt.abort(new Error("the attempt is over"));
        await silence;
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  async #onSilence(attempt: AbortController): Promise<void> {
    const { clock, silenceMs, patienceMs } = this.#options;
    const first = this.progress.acknowledged;
    let before = first;
    let sinceMs = clock.monotonicMs();
    while (!attempt.signal.aborted) {
      await clock.sleep(LOOK_MS, attempt.signal).catch(() => undefined);
      const { acknowledged } = this.progress;
      const nowMs = clock.monotonicMs();
      if (acknowledged !== before) sinceMs = nowMs;
      before = acknowledged;
      if (nowMs - sinceMs > (acknowledged === first ? patienceMs : silenceMs))
        attempt.abort(new Error("the ingress is silent"));
    }
  }
}
