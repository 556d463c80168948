/**
 * `FunctionHost` on worker threads. Whatever a program does to its thread, the host answers each invocation, and
 * only the guilty one fails (§5 Runtime: one bad message must never cost its lane).
 *
 * A new program is loaded beside those that run, so a query changes from one to the other without a pause.
 */
import type { Clock, FunctionHost, Invocation, Log, Outcome, Program } from "@greco/ports";
import { ExpressionPool } from "./expression-pool.ts";
import { HandlerPool } from "./handler-pool.ts";
import type { HostedProgram, Job } from "./jobs.ts";
import { defaultLimits, type WorkerHostLimits } from "./limits.ts";
import { readProgram } from "./program.ts";
import type { SupervisorDependencies } from "./supervisor.ts";

export type WorkerFunctionHostOptions = {
  /** Threads for expressions. Handlers have theirs beside them (`limits.handlerThreads`). */
  readonly threads: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<WorkerHostLimits>;
  /** The worker's file, where a bundle has put it. */
  readonly entry?: URL;
};

/** How often the watch looks: time limits hold to about this. */
const watchMs = 10;

export function createWorkerFunctionHost(options: WorkerFunctionHostOptions): FunctionHost {
  return new WorkerFunctionHost(options);
}

type Hosted = {
  readonly program: HostedProgram;
  /** Undefined once it is done. */
  loading: Promise<void> | undefined;
  active: number;
  unloaded: boolean;
};

class WorkerFunctionHost implements FunctionHost {
  readonly #expressions: ExpressionPool;
  readonly #handlers: HandlerPool;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #programs = new Map<string, Hosted>();
  readonly #jobs = new Set<(error: Error) => void>();
  #numbers = 0;
  #watching = false;

  constructor({ threads, clock, log, limits, entry }: WorkerFunctionHostOptions) {
    const dependencies = {
      entry: entry ?? new URL("./worker.ts", import.meta.url),
      limits: { ...defaultLimits, ...limits },
      clock,
      log,
      signal: this.#stop.signal,
    } satisfies Omit<SupervisorDependencies, "role">;
    this.#clock = clock;
    this.#expressions = new ExpressionPool(Math.max(1, threads), { ...dependencies, role: "expressions" });
    this.#handlers = new HandlerPool({ ...dependencies, role: "handlers" });
  }

  async load(program: Program, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#throwIfClosed();
    const known = this.#programs.get(program.id);
    const either = AbortSignal.any([signal, this.#stop.signal]);
    if (known === undefined) await withSignal(this.#load(program), either);
    else if (known.loading !== undefined) await withSignal(known.loading, either);
  }

  #load(program: Program): Promise<void> {
    const source = readProgram(program);
    this.#numbers += 1;
    const hosted = { number: this.#numbers, source };
    const loading = this.#poolOf(hosted).load(hosted);
    const entry: Hosted = { program: hosted, loading, active: 0, unloaded: false };
    this.#programs.set(program.id, entry);
    const forget = (): void => {
      this.#poolOf(hosted).unload(hosted.number);
      if (this.#programs.get(program.id) === entry) this.#programs.delete(program.id);
    };
    loading.then(() => (entry.loading = undefined), forget);
    this.#watch();
    return loading;
  }

  #poolOf({ source }: HostedProgram): ExpressionPool | HandlerPool {
    return source.query.handler === undefined ? this.#expressions : this.#handlers;
  }

  async invoke(
    programId: string,
    invocations: readonly Invocation[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    signal.throwIfAborted();
    this.#throwIfClosed();
    const hosted = this.#programs.get(programId);
    if (hosted === undefined) throw new Error(`program ${programId} is not loaded; call load first`);
    if (hosted.loading !== undefined)
      await withSignal(hosted.loading, AbortSignal.any([signal, this.#stop.signal]));
    if (invocations.length === 0) return [];
    hosted.active += 1;
    try {
      return await this.#run(hosted, invocations, signal);
    } finally {
      hosted.active -= 1;
      if (hosted.unloaded && hosted.active === 0) this.#poolOf(hosted.program).unload(hosted.program.number);
    }
  }

  async #run(
    { program }: Hosted,
    invocations: readonly Invocation[],
    signal: AbortSignal,
  ): Promise<readonly Outcome[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const job: Job = {
      program,
      invocations,
      outcomes: new Array<Outcome | undefined>(invocations.length),
      left: invocations.length,
      cancelled: false,
      done: resolve,
    };
    const cancel = (): void => {
      job.cancelled = true;
      this.#handlers.cancel(job);
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", cancel, { once: true });
    this.#jobs.add(reject);
    try {
      this.#poolOf(program).add(job);
      this.#watch();
      await promise;
      return job.outcomes as readonly Outcome[];
    } finally {
      this.#jobs.delete(reject);
      signal.removeEventListener("abort", cancel);
    }
  }

  unload(programId: string): void {
    const hosted = this.#programs.get(programId);
    this.#programs.delete(programId);
    if (hosted === undefined) return;
    hosted.unloaded = true;
    // What was asked before is still answered.
    if (hosted.active === 0) this.#poolOf(hosted.program).unload(hosted.program.number);
  }

  /** Looks after time limits while anything runs or loads. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    void this.#watchUntilIdle();
  }

  async #watchUntilIdle(): Promise<void> {
    while (!this.#stop.signal.aborted && (this.#expressions.isBusy || this.#handlers.isBusy)) {
      const now = this.#clock.monotonicMs();
      this.#expressions.check(now);
      this.#handlers.check(now);
      // Rejects only when the host is closed.
      await this.#clock.sleep(watchMs, this.#stop.signal).catch(() => undefined);
    }
    this.#watching = false;
  }

  #throwIfClosed(): void {
    if (this.#stop.signal.aborted) throw new Error("the function host is closed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) this.#stop.abort(new Error("the function host is closed"));
    for (const reject of this.#jobs) reject(new Error("the function host is closed"));
    await Promise.all([this.#expressions.close(), this.#handlers.close()]);
  }
}

async function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
