/** Publishes the inputs at a steady rate over one batched stream, and waits for each acknowledgement. */
import { Code } from "@greco/contracts/google/rpc/code";
import type { Clock } from "@greco/ports";
import type { Client } from "@greco/sdk";
import type { IngressService, PublishBatchesResponse } from "@greco/contracts/greco/dataplane/v1/dataplane";

export const PRODUCER = "main-job";
/** Smooth for the eye and cheap for the stream. */
const BATCHES_PER_SECOND = 20;
const BATCHES_UNDER_WAY_MAX = 40;

const RETRY_MS = 100;
/** Outcomes after which a producer publishes again: its numbers keep what was stored from being stored twice. */
const AGAIN = new Set<number>([Code.UNKNOWN, Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE]);

class TryAgain extends Error {
  override name = "TryAgain";
}

export type Progress = { readonly sent: number; readonly acknowledged: number };

/**
 * Goes on where it stopped: after a broken stream `publish` may be called again, with a client of the
 * same or another ingress, and sends what is not acknowledged yet under the same numbers (R5).
 */
export class Publisher {
  #sent = 0;
  #acknowledged = 0;
  /** The most that was ever handed to an ingress: some of it may be stored though nobody said so. */
  #handed = 0;
  #stopped = false;
  #last: { readonly lane: string; readonly seq: bigint } | undefined;
  readonly #clock: Clock;
  readonly #stream: string;
  readonly #rate: number;

  constructor(clock: Clock, options: { stream: string; rate: number }) {
    this.#clock = clock;
    this.#stream = options.stream;
    this.#rate = options.rate;
  }

  get progress(): Progress {
    return { sent: this.#sent, acknowledged: this.#acknowledged };
  }

  /** Nothing new is sent from now on; `publish` resolves when all that ever was is acknowledged. */
  stop(): void {
    this.#stopped = true;
  }

  /** How many inputs are to be acknowledged. */
  #due(inputs: readonly unknown[]): number {
    return this.#stopped ? this.#handed : inputs.length;
  }

  /**
   * Resolves when every input is acknowledged. What is not known to be stored is sent again under the same
   * numbers; rejects when an input is refused for good, or when the ingress is gone.
   */
  async publish(
    client: Client<typeof IngressService>,
    inputs: readonly unknown[],
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      try {
        await this.#publishOnce(client, inputs, signal);
        return;
      } catch (error) {
        if (!(error instanceof TryAgain)) throw error;
        await this.#clock.sleep(RETRY_MS, signal);
      }
    }
  }

  async #publishOnce(
    client: Client<typeof IngressService>,
    inputs: readonly unknown[],
    signal: AbortSignal,
  ): Promise<void> {
    this.#sent = this.#acknowledged;
    const responses = client.publishBatches(this.#batches(inputs, signal), { signal });
    for await (const response of responses) this.#take(response);
    const due = this.#due(inputs);
    if (this.#acknowledged !== due)
      throw new Error(`${due} inputs were sent, ${this.#acknowledged} acknowledged`);
  }

  #take(response: PublishBatchesResponse): void {
    this.#last ??= response.producerPosition;
    for (const result of response.results) {
      if (result.outcome.case !== "published") {
        const failure = result.outcome.value;
        const what = `the ingress did not take input ${this.#acknowledged + 1}: ${failure?.reason}: ${failure?.message}`;
        throw failure !== undefined && AGAIN.has(failure.code) ? new TryAgain(what) : new Error(what);
      }
      this.#acknowledged += 1;
      this.#last = result.outcome.value.position ?? this.#last;
    }
  }

  async *#batches(inputs: readonly unknown[], signal: AbortSignal) {
    const encoder = new TextEncoder();
    const perBatch = Math.min(1_000, Math.max(1, Math.round(this.#rate / BATCHES_PER_SECOND)));
    const id = PRODUCER;
    if (this.#last === undefined) {
      // Before the first message: a producer that is cut off before its first acknowledgement knows where to look.
      yield { stream: this.#stream, batchId: -1n, messages: [], producer: { id } };
      while (this.#last === undefined) await this.#clock.sleep(5, signal);
    }
    const began = this.#clock.monotonicMs();
    const first = this.#acknowledged;
    const { lane: lastLane, seq: lastSeq } = this.#last;
    const producer = { id, lastLane, lastSeq };
    for (let at = first; at < this.#due(inputs); at += perBatch) {
      const wait = began + ((at - first) / this.#rate) * 1_000 - this.#clock.monotonicMs();
      if (wait > 0) await this.#clock.sleep(wait, signal);
      while (this.#sent - this.#acknowledged > perBatch * BATCHES_UNDER_WAY_MAX)
        await this.#clock.sleep(5, signal);
      // It may have been stopped meanwhile.
      const messages = inputs.slice(at, Math.min(at + perBatch, this.#due(inputs))).map((input, index) => ({
        payload: encoder.encode(JSON.stringify(input)),
        producerSeq: BigInt(at + index + 1),
      }));
      if (messages.length === 0) return;
      this.#sent += messages.length;
      this.#handed = Math.max(this.#handed, this.#sent);
      yield { stream: this.#stream, batchId: BigInt(at), messages, producer };
    }
  }
}
