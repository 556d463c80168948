/**
 * JSON lines into a stream: batches under way at once, bounded, acknowledged one by one.
 *
 * What the ingress had no room for is sent again, behind what follows it: per key, its order may change. A line's
 * number is its producer number, so a repeat of the whole file is not stored twice.
 */
import { open } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type {
  IngressService,
  PublishBatchesRequestSchema,
  PublishBatchesResponse,
} from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@greco/sdk";
import { createInterface, type Interface } from "node:readline";
import { CliError } from "./cli-error.ts";
import { unreadable } from "./input.ts";

const BATCH = 100;
/** Messages without an acknowledgement: some MB in the ingress at most. */
const UNDER_WAY_MAX = 2_000;
/** A slow stream still shows its messages soon. */
const BATCHES_A_SECOND = 20;

type Line = { readonly number: number; readonly text: string };

export type PublishOptions = {
  readonly stream: string;
  readonly producer: string | undefined;
  /** Messages a second. */
  readonly rate: number | undefined;
  readonly atLeastEpoch: bigint;
  /** So long no acknowledgement comes while some are awaited: it fails. */
  readonly ackTimeoutMs: number;
};

export type Lines = AsyncIterable<string> & AsyncDisposable;

/** `-` is stdin. Disposed, it reads no more, whoever waits for a line: an open stdin would hold the process. */
export async function linesOf(file: string): Promise<Lines> {
  if (file === "-") return closing(createInterface({ input: process.stdin }), () => process.stdin.destroy());
  try {
    const handle = await open(file);
    return closing(handle.readLines(), () => handle.close());
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function closing(lines: Interface, close: () => unknown): Lines {
  // From the beginning: lines, and their end, that come before somebody iterates would be lost.
  const iterator = lines[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => iterator,
    async [Symbol.asyncDispose]() {
      lines.close();
      await close();
    },
  };
}

export class Publisher {
  acknowledged = 0;
  duplicates = 0;
  refused = 0;
  repeated = 0;
  firstFailure: { readonly message: string; readonly reason: string } | undefined;
  readonly lanes = new Set<string>();
  readonly epochs = new Set<number>();

  readonly #ingress: Pick<Client<typeof IngressService>, "publishBatches">;
  readonly #options: PublishOptions;
  readonly #underWay = new Map<bigint, readonly Line[]>();
  readonly #again: Line[] = [];
  #batch = 0n;
  #sent = 0;
  #moved: () => void = () => undefined;
  #late: () => void = () => undefined;
  #alarm: NodeJS.Timeout | undefined;

  constructor(ingress: Pick<Client<typeof IngressService>, "publishBatches">, options: PublishOptions) {
    this.#ingress = ingress;
    this.#options = options;
  }

  async run(lines: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const over = AbortSignal.any([signal, late.signal]);
    this.#late = () => late.abort(this.#noAcknowledgement());
    try {
      for await (const response of this.#ingress.publishBatches(this.#batches(lines, over), {
        signal: over,
      })) {
        await this.#take(response, over);
        this.#awaitAcknowledgement();
        this.#moved();
      }
    } finally {
      // Whoever still waits for a line sends no batch of it any more.
      late.abort(new Error("the call is over"));
      clearTimeout(this.#alarm);
    }
  }

  /** From now on, if any is awaited. */
  #awaitAcknowledgement(): void {
    clearTimeout(this.#alarm);
    this.#alarm = undefined;
    if (this.#underWay.size > 0) this.#alarm = setTimeout(this.#late, this.#options.ackTimeoutMs);
  }

  #noAcknowledgement(): CliError {
    const { ackTimeoutMs, producer } = this.#options;
    const again = producer === undefined ? "; with --producer ID a repeat is not stored twice" : "";
    return new CliError(
      `no acknowledgement for ${ackTimeoutMs / 1_000} s; ${this.#waiting} messages are stored or not`,
      `greco doctor; or wait longer, as --timeout 2m${again}`,
    );
  }

  async *#batches(
    lines: AsyncIterable<string>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageInitShape<typeof PublishBatchesRequestSchema>> {
    const { rate } = this.#options;
    const size = rate === undefined ? BATCH : Math.min(BATCH, Math.ceil(rate / BATCHES_A_SECOND));
    const began = performance.now();
    let number = 0;
    let batch: Line[] = [];
    for await (const text of lines) {
      number += 1;
      if (text.trim() === "") continue;
      batch.push({ number, text });
      if (batch.length < size) continue;
      yield this.#request(batch);
      batch = [];
      const wait = rate === undefined ? 0 : began + (this.#sent / rate) * 1_000 - performance.now();
      if (wait > 0) await pause(wait, undefined, { signal });
      await this.#room(UNDER_WAY_MAX, signal);
    }
    signal.throwIfAborted();
    if (batch.length > 0) yield this.#request(batch);
    for (;;) {
      while (this.#again.length > 0) yield this.#request(this.#again.splice(0, size));
      if (this.#underWay.size === 0) return;
      await this.#room(0, signal);
    }
  }

  #request(lines: readonly Line[]): MessageInitShape<typeof PublishBatchesRequestSchema> {
    const { stream, producer, atLeastEpoch } = this.#options;
    const batchId = (this.#batch += 1n);
    this.#underWay.set(batchId, lines);
    if (this.#alarm === undefined) this.#awaitAcknowledgement();
    this.#sent += lines.length;
    const messages = lines.map(({ number, text }) => ({
      payload: Buffer.from(text),
      producerSeq: producer === undefined ? 0n : BigInt(number),
    }));
    return {
      stream,
      batchId,
      messages,
      atLeastEpoch,
      ...(producer === undefined ? {} : { producer: { id: producer } }),
    };
  }

  get #waiting(): number {
    let count = 0;
    for (const lines of this.#underWay.values()) count += lines.length;
    return count;
  }

  /** Until so few are under way, or there is something to send again. */
  async #room(max: number, signal: AbortSignal): Promise<void> {
    while (this.#waiting > max && this.#again.length === 0) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const stop = (): void => reject(signal.reason as Error);
        signal.addEventListener("abort", stop, { once: true });
        this.#moved = () => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
      });
    }
  }

  async #take({ batchId, results }: PublishBatchesResponse, signal: AbortSignal): Promise<void> {
    const lines = this.#underWay.get(batchId) ?? [];
    let waitMs = 0;
    results.forEach(({ outcome }, index) => {
      const line = lines[index];
      if (line === undefined) return;
      if (outcome.case === "published") {
        this.acknowledged += 1;
        if (outcome.value.duplicate) this.duplicates += 1;
        this.lanes.add(outcome.value.position?.lane ?? "");
        this.epochs.add(Number(outcome.value.epoch));
      } else if (outcome.case === "failure" && outcome.value.retryAfterMs > 0n) {
        waitMs = Math.max(waitMs, Number(outcome.value.retryAfterMs));
        this.repeated += 1;
        this.#again.push(line);
      } else {
        this.refused += 1;
        const { reason = "", message = "no outcome" } = outcome.value ?? {};
        const what = `line ${line.number}: ${message.replace(/^messages\[\d+\]\./, "")} [${reason}]`;
        this.firstFailure ??= { message: what, reason };
      }
    });
    if (waitMs > 0) await pause(waitMs, undefined, { signal });
    this.#underWay.delete(batchId);
  }
}
