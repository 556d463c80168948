/** Publishes the inputs at a steady rate over one batched stream, and waits for each acknowledgement. */
import type { Clock } from "@greco/ports";
import type { Client } from "@greco/sdk";
import type { IngressService, PublishBatchesResponse } from "@greco/contracts/greco/dataplane/v1/dataplane";

export const PRODUCER = "main-job";
/** Ten batches a second are smooth for the eye and cheap for the stream. */
const BATCHES_PER_SECOND = 20;
const BATCHES_UNDER_WAY_MAX = 40;

export type Progress = { readonly sent: number; readonly acknowledged: number };

export class Publisher {
  #sent = 0;
  #acknowledged = 0;
  readonly #client: Client<typeof IngressService>;
  readonly #clock: Clock;
  readonly #stream: string;
  readonly #rate: number;

  constructor(
    client: Client<typeof IngressService>,
    clock: Clock,
    options: { stream: string; rate: number },
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#stream = options.stream;
    this.#rate = options.rate;
  }

  get progress(): Progress {
    return { sent: this.#sent, acknowledged: this.#acknowledged };
  }

  /** Resolves when every input is acknowledged; rejects at the first that is refused. */
  async publish(inputs: readonly unknown[], signal: AbortSignal): Promise<void> {
    const perBatch = Math.min(1_000, Math.max(1, Math.round(this.#rate / BATCHES_PER_SECOND)));
    const responses = this.#client.publishBatches(this.#batches(inputs, perBatch, signal), { signal });
    for await (const response of responses) this.#take(response);
    if (this.#acknowledged !== inputs.length) {
      throw new Error(`${inputs.length} inputs were sent, ${this.#acknowledged} acknowledged`);
    }
  }

  #take(response: PublishBatchesResponse): void {
    for (const result of response.results) {
      if (result.outcome.case === "failure") {
        const { reason, message } = result.outcome.value;
        throw new Error(`the ingress refused an input: ${reason}: ${message}`);
      }
      this.#acknowledged += 1;
    }
  }

  async *#batches(inputs: readonly unknown[], perBatch: number, signal: AbortSignal) {
    const encoder = new TextEncoder();
    const began = this.#clock.monotonicMs();
    for (let at = 0; at < inputs.length; at += perBatch) {
      const due = began + (at / this.#rate) * 1_000;
      const wait = due - this.#clock.monotonicMs();
      if (wait > 0) await this.#clock.sleep(wait, signal);
      while (this.#sent - this.#acknowledged > perBatch * BATCHES_UNDER_WAY_MAX)
        await this.#clock.sleep(5, signal);
      const messages = inputs.slice(at, at + perBatch).map((input, index) => ({
        payload: encoder.encode(JSON.stringify(input)),
        producerSeq: BigInt(at + index + 1),
      }));
      this.#sent += messages.length;
      yield { stream: this.#stream, batchId: BigInt(at), messages, producer: { id: PRODUCER } };
    }
  }
}
