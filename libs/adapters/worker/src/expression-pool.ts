/**
 * Threads for expressions, all with all programs. Messages go in batches, whatever call they came by. Expressions
 * are pure, so what a dead thread was doing is done again; only the message that ran when its time was up fails.
 */
import type { Clock, Outcome } from "@greco/ports";
import { FairQueue, type HostedProgram, type Job, type Piece, settle, settlePiece } from "./jobs.ts";
import { deathsMax, type WorkerHostLimits } from "./limits.ts";
import { type BatchResult, type FromWorker, Length, NOTHING, Progress } from "./protocol.ts";
import { Supervisor, type SupervisorDependencies } from "./supervisor.ts";
import type { Death } from "./thread.ts";

const nothing: Outcome = Object.freeze({ type: "outputs", outputs: Object.freeze([]) });
const runMax = 256;

type Pool = {
  readonly queue: FairQueue;
  pump(): void;
  readonly limits: WorkerHostLimits;
  readonly clock: Clock;
};

export class ExpressionPool {
  readonly #queue = new FairQueue();
  readonly #threads: readonly ExpressionThread[];
  #pumping = false;

  constructor(threads: number, dependencies: SupervisorDependencies) {
    const pool: Pool = {
      queue: this.#queue,
      pump: () => this.#pump(),
      limits: dependencies.limits,
      clock: dependencies.clock,
    };
    this.#threads = Array.from({ length: threads }, () => new ExpressionThread(pool, dependencies));
  }

  get isBusy(): boolean {
    return this.#queue.size > 0 || this.#threads.some((thread) => thread.isBusy);
  }

  async load(program: HostedProgram): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.load(program)));
  }

  unload(program: number): void {
    for (const thread of this.#threads) thread.unload(program);
  }

  add(job: Job): void {
    this.#queue.add({ job, from: 0, to: job.invocations.length, deaths: 0 });
    for (const thread of this.#threads) thread.need(job.program.number);
    if (this.#pumping) return;
    this.#pumping = true;
    // Calls of one turn share a batch.
    queueMicrotask(() => this.#pump());
  }

  check(nowMs: number): void {
    for (const thread of this.#threads) thread.check(nowMs);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #pump(): void {
    this.#pumping = false;
    // The idle ones first, so that a little work is spread and much work is piled up evenly.
    for (let depth = 0; depth < (this.#threads[0]?.depthMax ?? 0); depth += 1) {
      const free = this.#threads.filter((thread) => thread.depth === depth);
      for (const [index, thread] of free.entries()) {
        if (this.#queue.size === 0) return;
        thread.work(Math.ceil(this.#queue.size / (free.length - index)));
      }
    }
  }
}

/** What one batch holds, and where each piece begins in it. */
type Sent = { readonly pieces: readonly Piece[]; readonly starts: readonly number[]; readonly bytes: number };

class ExpressionThread {
  readonly #pool: Pool;
  readonly #supervisor: Supervisor;
  readonly #sent = new Map<number, Sent>();
  #batches = 0;
  #seen = { batch: NOTHING, current: NOTHING, sinceMs: 0 };

  constructor(pool: Pool, dependencies: SupervisorDependencies) {
    this.#pool = pool;
    this.#supervisor = new Supervisor(dependencies, {
      message: (message) => this.#onMessage(message),
      death: (death, batch, current) => this.#onDeath(death, batch, current),
      ready: () => pool.pump(),
      broken: (program, error) => {
        const failure = { reason: error.reason, message: error.message, retryable: true };
        for (const piece of pool.queue.remove(program)) settlePiece(piece, failure);
      },
    });
  }

  get depth(): number {
    return this.#sent.size;
  }

  get depthMax(): number {
    return this.#pool.limits.batchesInFlight;
  }

  get isBusy(): boolean {
    return this.#sent.size > 0 || this.#supervisor.isLoading;
  }

  load(program: HostedProgram): Promise<void> {
    return this.#supervisor.load(program);
  }

  unload(program: number): void {
    this.#supervisor.unload(program);
  }

  need(program: number): void {
    this.#supervisor.need(program);
  }

  close(): Promise<void> {
    return this.#supervisor.kill({ reason: "CLOSED", message: "the host is closed" });
  }

  /** Takes about so many messages from the queue, fewer than a batch may hold. */
  work(share: number): void {
    const { batchMessages, batchBytes } = this.#pool.limits;
    const pieces: Piece[] = [];
    let room = Math.min(batchMessages, Math.max(16, share));
    let bytes = 0;
    while (room > 0 && bytes < batchBytes) {
      const piece = this.#pool.queue.take(Math.min(room, runMax), (program) => this.#supervisor.has(program));
      if (piece === undefined) break;
      const fitting = this.#fit(piece, batchBytes - bytes, pieces.length === 0);
      if (fitting.to > fitting.from) {
        pieces.push(fitting);
        room -= fitting.to - fitting.from;
        bytes += bytesOf(fitting);
      }
      if (fitting.to === piece.to) continue;
      this.#pool.queue.addFirst({ ...piece, from: fitting.to });
      break;
    }
    if (pieces.length > 0) this.#send(pieces, bytes);
  }

  /** As much of the piece as the bytes allow; at least one message, if the batch has none yet. */
  #fit(piece: Piece, bytes: number, needsOne: boolean): Piece {
    let left = bytes;
    let to = piece.from;
    while (to < piece.to) {
      left -= piece.job.invocations[to]?.payload.length ?? 0;
      if (left < 0 && !(needsOne && to === piece.from)) break;
      to += 1;
    }
    return { ...piece, to };
  }

  #send(pieces: readonly Piece[], bytes: number): void {
    const payloads = new Uint8Array(bytes);
    const starts: number[] = [];
    const count = pieces.reduce((sum, piece) => sum + piece.to - piece.from, 0);
    const ends = new Uint32Array(count);
    let index = 0;
    let end = 0;
    for (const { job, from, to } of pieces) {
      starts.push(index);
      for (let at = from; at < to; at += 1) {
        const payload = job.invocations[at]?.payload ?? new Uint8Array();
        payloads.set(payload, end);
        end += payload.length;
        ends[index] = end;
        index += 1;
      }
    }
    this.#batches += 1;
    this.#sent.set(this.#batches, { pieces, starts, bytes });
    const runs = pieces.map(({ job, from, to }) => ({ program: job.program.number, count: to - from }));
    this.#supervisor.post({ type: "batch", batch: this.#batches, runs, payloads, ends }, [
      payloads.buffer,
      ends.buffer,
    ]);
  }

  #onMessage(message: FromWorker): void {
    if (message.type !== "result") return;
    const sent = this.#sent.get(message.batch);
    this.#sent.delete(message.batch);
    // The next batch goes out before the outcomes of this one cost time.
    this.#pool.pump();
    if (sent !== undefined) takeResult(sent, message);
  }

  #onDeath(death: Death, batch: number, current: number): void {
    const sent = [...this.#sent];
    this.#sent.clear();
    this.#seen = { batch: NOTHING, current: NOTHING, sinceMs: 0 };
    for (const [id, { pieces, starts }] of sent.toReversed()) {
      for (const [index, piece] of [...pieces.entries()].toReversed()) {
        const at =
          id === batch && current !== NOTHING ? piece.from + current - (starts[index] ?? 0) : NOTHING;
        this.#again(piece, at, death);
      }
    }
    // Another thread may be free for it.
    this.#pool.pump();
  }

  /** Puts a piece back, without the message that was at work, which fails. */
  #again(piece: Piece, guilty: number, death: Death): void {
    if (piece.job.cancelled) return;
    if (guilty >= piece.from && guilty < piece.to) {
      settle(piece.job, guilty, { type: "failed", ...death, retryable: true });
      if (guilty + 1 < piece.to) this.#pool.queue.addFirst({ ...piece, from: guilty + 1 });
      if (piece.from < guilty) this.#pool.queue.addFirst({ ...piece, to: guilty });
      return;
    }
    const deaths = piece.deaths + 1;
    if (deaths > deathsMax) settlePiece(piece, { ...death, reason: "WORKER_LOST", retryable: true });
    else this.#pool.queue.addFirst({ ...piece, deaths });
  }

  check(nowMs: number): void {
    this.#supervisor.check(nowMs);
    const batch = this.#supervisor.progress(Progress.batch);
    const current = this.#supervisor.progress(Progress.current);
    const sent = this.#sent.get(batch);
    if (
      sent === undefined ||
      current === NOTHING ||
      this.#seen.batch !== batch ||
      this.#seen.current !== current
    ) {
      this.#seen = { batch, current, sinceMs: nowMs };
      return;
    }
    const piece = sent.pieces.findLast((_, index) => (sent.starts[index] ?? 0) <= current);
    const timeoutMs = piece?.job.program.source.query.timeoutMs ?? 0;
    if (nowMs - this.#seen.sinceMs < timeoutMs + this.#pool.limits.graceMs) return;
    void this.#supervisor.kill({ reason: "TIMEOUT", message: `took longer than its ${timeoutMs} ms` });
  }
}

function bytesOf({ job, from, to }: Piece): number {
  let bytes = 0;
  for (let index = from; index < to; index += 1) bytes += job.invocations[index]?.payload.length ?? 0;
  return bytes;
}

function takeResult({ pieces }: Sent, { lengths, outputs, failures }: BatchResult): void {
  let at = 0;
  let index = 0;
  let failed = 0;
  for (const { job, from, to } of pieces) {
    for (let invocation = from; invocation < to; invocation += 1) {
      const length = lengths[index] ?? Length.failed;
      index += 1;
      const { key, payload } = job.invocations[invocation] ?? { key: "", payload: outputs };
      if (length >= 0) {
        settle(job, invocation, {
          type: "outputs",
          outputs: [{ key, payload: outputs.subarray(at, at + length) }],
        });
        at += length;
      } else if (length === Length.filtered) {
        settle(job, invocation, nothing);
      } else if (length === Length.unchanged) {
        settle(job, invocation, { type: "outputs", outputs: [{ key, payload }] });
      } else {
        const failure = failures[failed];
        failed += 1;
        const lost = { reason: "EVALUATION_FAILED", message: "failed", retryable: false };
        settle(job, invocation, { type: "failed", ...(failure ?? lost) });
      }
    }
  }
}
