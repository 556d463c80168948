/**
 * Threads for handlers: one for each program, so that one query's handler never waits for another's; beyond the
 * limit they share. A thread that dies takes its calls with it: the guilty one fails, the others are called again
 * (at least once, with the same idempotency key). If it cannot be told which one it was, each is tried alone.
 */
import type { Clock, Invocation } from "@greco/ports";
import { FairQueue, type HostedProgram, type Job, type Piece, settle, settlePiece } from "./jobs.ts";
import { deathsMax, type WorkerHostLimits } from "./limits.ts";
import { type CallOutcome, type FromWorker, NOTHING, Progress } from "./protocol.ts";
import { Supervisor, type SupervisorDependencies } from "./supervisor.ts";
import type { Death } from "./thread.ts";

export class HandlerPool {
  readonly #dependencies: SupervisorDependencies;
  readonly #threads = new Set<HandlerThread>();
  readonly #threadOf = new Map<number, HandlerThread>();

  constructor(dependencies: SupervisorDependencies) {
    this.#dependencies = dependencies;
  }

  get isBusy(): boolean {
    return [...this.#threads].some((thread) => thread.isBusy);
  }

  async load(program: HostedProgram): Promise<void> {
    const thread = this.#assign();
    this.#threadOf.set(program.number, thread);
    try {
      await thread.load(program);
    } catch (error) {
      this.unload(program.number);
      throw error;
    }
  }

  #assign(): HandlerThread {
    if (this.#threads.size < this.#dependencies.limits.handlerThreads) {
      const thread = new HandlerThread(this.#dependencies);
      this.#threads.add(thread);
      return thread;
    }
    const [least] = [...this.#threads].toSorted((a, b) => a.programs - b.programs);
    if (least === undefined) throw new Error("limits.handlerThreads must be at least 1");
    return least;
  }

  unload(program: number): void {
    const thread = this.#threadOf.get(program);
    this.#threadOf.delete(program);
    if (thread === undefined) return;
    thread.unload(program);
    if ([...this.#threadOf.values()].includes(thread)) return;
    // Modules stay in a thread for ever, so it goes with its last program.
    this.#threads.delete(thread);
    void thread.close();
  }

  add(job: Job): void {
    this.#threadOf.get(job.program.number)?.add(job);
  }

  cancel(job: Job): void {
    this.#threadOf.get(job.program.number)?.cancel(job);
  }

  check(nowMs: number): void {
    for (const thread of this.#threads) thread.check(nowMs);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.close()));
  }
}

class HandlerThread {
  readonly #limits: WorkerHostLimits;
  readonly #clock: Clock;
  readonly #supervisor: Supervisor;
  readonly #stop = new AbortController();
  readonly #queue = new FairQueue();
  /** One of them killed the thread; each runs alone. */
  readonly #suspects: Piece[] = [];
  readonly #running = new Map<number, Piece>();
  #calls = 0;
  #beat = { value: 0, sinceMs: 0 };

  constructor(dependencies: SupervisorDependencies) {
    this.#limits = dependencies.limits;
    this.#clock = dependencies.clock;
    const signal = AbortSignal.any([dependencies.signal, this.#stop.signal]);
    this.#supervisor = new Supervisor(
      { ...dependencies, signal },
      {
        message: (message) => this.#onMessage(message),
        death: (death, _, current) => this.#onDeath(death, current),
        ready: () => this.#pump(),
        broken: (program, error) => {
          const failure = { reason: error.reason, message: error.message, retryable: true };
          for (const piece of this.#queue.remove(program)) settlePiece(piece, failure);
        },
      },
    );
  }

  get programs(): number {
    return this.#supervisor.programs;
  }

  get isBusy(): boolean {
    return this.#running.size + this.#queue.size + this.#suspects.length > 0 || this.#supervisor.isLoading;
  }

  load(program: HostedProgram): Promise<void> {
    return this.#supervisor.load(program);
  }

  unload(program: number): void {
    this.#supervisor.unload(program);
  }

  add(job: Job): void {
    this.#queue.add({ job, from: 0, to: job.invocations.length, deaths: 0 });
    this.#supervisor.need(job.program.number);
    this.#pump();
  }

  cancel(job: Job): void {
    for (const [call, piece] of this.#running)
      if (piece.job === job) this.#supervisor.post({ type: "cancel", call });
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the thread is not needed any more"));
    await this.#supervisor.kill({ reason: "CLOSED", message: "the host is closed" });
  }

  #pump(): void {
    while (this.#suspects.length > 0) {
      const [suspect] = this.#suspects;
      if (suspect === undefined || this.#running.size > 0) return;
      if (!suspect.job.cancelled && !this.#supervisor.has(suspect.job.program.number)) return;
      this.#suspects.shift();
      if (!suspect.job.cancelled) this.#call(suspect);
    }
    while (this.#running.size < this.#limits.handlerConcurrency) {
      const piece = this.#queue.take(1, (program) => this.#supervisor.has(program));
      if (piece === undefined) return;
      this.#call(piece);
    }
  }

  #call(piece: Piece): void {
    const { payload: view, key, idempotencyKey, context } = piece.job.invocations[piece.from] as Invocation;
    // A view would take the whole buffer behind it along.
    const payload = view.slice();
    if (this.#running.size === 0) this.#beat.sinceMs = this.#clock.monotonicMs();
    this.#calls += 1;
    this.#running.set(this.#calls, piece);
    const program = piece.job.program.number;
    this.#supervisor.post({
      type: "call",
      call: this.#calls,
      program,
      payload,
      key,
      idempotencyKey,
      ...context,
    });
  }

  #onMessage(message: FromWorker): void {
    if (message.type !== "outcomes") return;
    for (const outcome of message.outcomes) this.#end(outcome);
    this.#pump();
  }

  #end(outcome: CallOutcome): void {
    const piece = this.#running.get(outcome.call);
    this.#running.delete(outcome.call);
    if (piece === undefined) return;
    if ("failure" in outcome) {
      settle(piece.job, piece.from, { type: "failed", ...outcome.failure });
      return;
    }
    const key = piece.job.invocations[piece.from]?.key ?? "";
    const outputs = outcome.outputs.map((payload) => ({ key, payload }));
    settle(piece.job, piece.from, { type: "outputs", outputs });
  }

  #onDeath(death: Death, current: number): void {
    const running = [...this.#running];
    this.#running.clear();
    const only = running.length === 1 ? running[0]?.[0] : undefined;
    const guilty = current !== NOTHING && running.some(([call]) => call === current) ? current : only;
    for (const [call, piece] of running) {
      if (piece.job.cancelled) continue;
      const deaths = piece.deaths + 1;
      if (call === guilty) settlePiece(piece, { ...death, retryable: true });
      else if (deaths > deathsMax) settlePiece(piece, { ...death, reason: "WORKER_LOST", retryable: true });
      else if (guilty === undefined) this.#suspects.push({ ...piece, deaths });
      else this.#queue.addFirst({ ...piece, deaths });
    }
  }

  check(nowMs: number): void {
    this.#supervisor.check(nowMs);
    const value = this.#supervisor.progress(Progress.beat);
    if (this.#running.size === 0 || value !== this.#beat.value) {
      this.#beat = { value, sinceMs: nowMs };
      return;
    }
    const arrived = this.#supervisor.progress(Progress.batch);
    // A thread that has none of them yet is not blocked by one: it is slow to wake on a busy machine.
    const isBlocked = [...this.#running.keys()].some((call) => call <= arrived);
    const current = this.#running.get(this.#supervisor.progress(Progress.current));
    const pieces = current === undefined ? [...this.#running.values()] : [current];
    const timeoutMs = Math.max(...pieces.map((piece) => piece.job.program.source.query.timeoutMs));
    const { graceMs, loadTimeoutMs } = this.#limits;
    if (nowMs - this.#beat.sinceMs < (isBlocked ? timeoutMs + graceMs : loadTimeoutMs)) return;
    void this.#supervisor.kill({ reason: "TIMEOUT", message: `took longer than its ${timeoutMs} ms` });
  }
}
