/** In the worker: runs batches of messages through expressions, payload bytes in, payload bytes out. */
import type { MessagePort } from "node:worker_threads";
import { ProgramLoadError } from "@greco/ports";
import { compileExpressions, type ExpressionProgram, failureOf, unchanged } from "./expression-program.ts";
import {
  type Batch,
  type Failure,
  type FromWorker,
  Length,
  NOTHING,
  Progress,
  type ToWorker,
} from "./protocol.ts";

export function runExpressions(port: MessagePort, progress: Int32Array): void {
  const programs = new Map<number, ExpressionProgram>();
  const send = (message: FromWorker, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  port.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "load":
        try {
          programs.set(message.program, compileExpressions(message.source));
          send({ type: "loaded", program: message.program });
        } catch (error) {
          if (!(error instanceof ProgramLoadError)) throw error;
          const { reason, place, message: text } = error;
          send({ type: "refused", program: message.program, reason, place, message: text });
        }
        break;
      case "unload":
        programs.delete(message.program);
        break;
      case "batch":
        runBatch(message, programs, progress, send);
        break;
      case "call":
      case "cancel":
        throw new Error("calls of handlers go to other workers");
    }
  });
  send({ type: "ready" });
}

function runBatch(
  { batch, runs, payloads, ends }: Batch,
  programs: ReadonlyMap<number, ExpressionProgram>,
  progress: Int32Array,
  send: (message: FromWorker, transfer: ArrayBuffer[]) => void,
): void {
  const bytes = Buffer.from(payloads.buffer, payloads.byteOffset, payloads.length);
  const lengths = new Int32Array(ends.length);
  const failures: Failure[] = [];
  const outputs = new Outputs(Math.max(1_024, payloads.length));
  let index = 0;
  let start = 0;
  Atomics.store(progress, Progress.batch, batch);
  for (const { program, count } of runs) {
    const run = programs.get(program);
    for (const last = index + count; index < last; index += 1) {
      const end = ends[index] ?? start;
      Atomics.store(progress, Progress.current, index);
      try {
        if (run === undefined) throw new Error("the program is not loaded");
        const output = run(bytes.subarray(start, end));
        if (output === undefined) lengths[index] = Length.filtered;
        else if (output === unchanged) lengths[index] = Length.unchanged;
        else lengths[index] = outputs.add(output);
      } catch (error) {
        lengths[index] = Length.failed;
        failures.push(failureOf(error));
      }
      start = end;
    }
  }
  Atomics.store(progress, Progress.current, NOTHING);
  const written = outputs.take();
  send({ type: "result", batch, lengths, outputs: written, failures }, [written.buffer, lengths.buffer]);
}

/** Texts as UTF-8, one behind the other. */
class Outputs {
  #buffer: Buffer<ArrayBuffer>;
  #length = 0;
  constructor(size: number) {
    this.#buffer = Buffer.from(new ArrayBuffer(size));
  }

  /** Returns the bytes that it took. */
  add(text: string): number {
    // A UTF-16 unit takes three bytes at most.
    const needed = this.#length + text.length * 3;
    if (needed > this.#buffer.length) this.#grow(needed);
    const length = this.#buffer.write(text, this.#length);
    this.#length += length;
    return length;
  }

  #grow(needed: number): void {
    const larger = Buffer.from(new ArrayBuffer(Math.max(needed, this.#buffer.length * 2)));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer.buffer, 0, this.#length);
  }
}
