/**
 * Keeps one thread alive with the programs that belong to it: starts it when it is first needed, and after a death
 * starts it again and loads them again. A program that kills the thread while it loads is refused.
 */
import { type Clock, type Log, ProgramLoadError } from "@greco/ports";
import type { HostedProgram } from "./jobs.ts";
import { deathsMax, type WorkerHostLimits } from "./limits.ts";
import { type FromWorker, NOTHING, Progress, type Role, type ToWorker } from "./protocol.ts";
import { type Death, Thread } from "./thread.ts";

export type SupervisorEvents = {
  message(message: FromWorker): void;
  /** The thread is gone with all that it was doing. `current` is the batch's message, or the call, that ran. */
  death(death: Death, batch: number, current: number): void;
  /** Programs have become usable, or a new thread is there. */
  ready(): void;
  /** A program that was loaded cannot be loaded again. */
  broken(program: number, error: ProgramLoadError): void;
};

type Load = {
  readonly program: HostedProgram;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  attempts: number;
  sinceMs: number;
};

export type SupervisorDependencies = {
  readonly role: Role;
  readonly entry: URL;
  readonly limits: WorkerHostLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
};

const backoffMaxMs = 5_000;

export class Supervisor {
  readonly #dependencies: SupervisorDependencies;
  readonly #events: SupervisorEvents;
  /** Everything that belongs in the thread. */
  readonly #programs = new Map<number, HostedProgram>();
  /** What the present thread has loaded. */
  readonly #loaded = new Set<number>();
  /** One at a time, so that a death while loading has one suspect. */
  readonly #loads: Load[] = [];
  /** What could not be loaded again after a death; the next who needs it tries once more. */
  readonly #broken = new Map<number, HostedProgram>();
  #thread: Thread | undefined;
  #deathsInARow = 0;
  #pausing = false;

  constructor(dependencies: SupervisorDependencies, events: SupervisorEvents) {
    this.#dependencies = dependencies;
    this.#events = events;
  }

  get programs(): number {
    return this.#programs.size;
  }

  get isLoading(): boolean {
    return this.#loads.length > 0;
  }

  has(program: number): boolean {
    return this.#loaded.has(program);
  }

  load(program: HostedProgram): Promise<void> {
    this.#programs.set(program.number, program);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#enqueue({ program, resolve, reject, attempts: 0, sinceMs: 0 });
    return promise;
  }

  unload(program: number): void {
    this.#broken.delete(program);
    this.#programs.delete(program);
    this.#loaded.delete(program);
    this.post({ type: "unload", program });
  }

  /** Into the void while there is no thread: its owner hears of the death and sends again. */
  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#thread?.post(message, transfer);
  }

  progress(word: number): number {
    return this.#thread === undefined ? NOTHING : Atomics.load(this.#thread.progress, word);
  }

  async kill(cause: Death): Promise<void> {
    await this.#thread?.kill(cause);
  }

  /** Ends a load that takes too long. Called by the watch. */
  check(nowMs: number): void {
    const [load] = this.#loads;
    const { loadTimeoutMs } = this.#dependencies.limits;
    if (load === undefined || load.sinceMs === 0 || nowMs - load.sinceMs < loadTimeoutMs) return;
    load.sinceMs = 0;
    load.attempts = deathsMax;
    void this.kill({ reason: "LOAD_TIMEOUT", message: `does not load within ${loadTimeoutMs} ms` });
  }

  #enqueue(load: Load): void {
    this.#loads.push(load);
    if (this.#loads.length === 1) this.#loadNext();
  }

  #loadNext(): void {
    const [load] = this.#loads;
    if (load === undefined || this.#pausing) return;
    load.attempts += 1;
    load.sinceMs = this.#dependencies.clock.monotonicMs();
    this.#start().post({ type: "load", program: load.program.number, source: load.program.source });
  }

  #start(): Thread {
    if (this.#thread !== undefined) return this.#thread;
    const { role, entry, limits, log } = this.#dependencies;
    this.#thread = new Thread(role, entry, limits, log, {
      message: (message) => this.#onMessage(message),
      death: (death) => this.#onDeath(death),
    });
    return this.#thread;
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case "ready":
        break;
      case "loaded":
        this.#deathsInARow = 0;
        this.#endLoad(message.program, undefined);
        break;
      case "refused":
        this.#endLoad(message.program, new ProgramLoadError(message.reason, message.place, message.message));
        break;
      case "stray":
        this.#dependencies.log.warn("worker.stray-error", { message: message.message });
        break;
      case "result":
      case "outcomes":
        this.#events.message(message);
        break;
    }
  }

  #endLoad(program: number, error: ProgramLoadError | undefined): void {
    const [load] = this.#loads;
    if (load?.program.number !== program) return;
    this.#loads.shift();
    if (error === undefined) {
      if (this.#programs.has(program)) this.#loaded.add(program);
      else this.post({ type: "unload", program });
      load.resolve();
    } else {
      this.#programs.delete(program);
      load.reject(error);
    }
    this.#loadNext();
    this.#events.ready();
  }

  #onDeath(death: Death): void {
    const batch = this.progress(Progress.batch);
    const current = this.progress(Progress.current);
    this.#thread = undefined;
    this.#loaded.clear();
    if (this.#dependencies.signal.aborted) return;
    this.#deathsInARow += 1;
    this.#dependencies.log.warn("worker.died", { role: this.#dependencies.role, ...death });
    this.#blameLoad(death, current);
    this.#events.death(death, batch, current);
    this.#reload();
    void this.#pause();
  }

  /** The load under way goes on with the next thread, unless it seems to be what killed this one. */
  #blameLoad(death: Death, current: number): void {
    const [load] = this.#loads;
    if (load === undefined || (current !== NOTHING && load.attempts < deathsMax)) return;
    if (load.attempts < 2) return;
    this.#loads.shift();
    this.#programs.delete(load.program.number);
    load.reject(new ProgramLoadError(death.reason, "", `the program ${death.message}`));
  }

  #reload(): void {
    const waiting = new Set(this.#loads.map((load) => load.program.number));
    for (const program of this.#programs.values()) if (!waiting.has(program.number)) this.#loadAgain(program);
  }

  #loadAgain(program: HostedProgram): void {
    const reject = (error: Error): void => {
      this.#broken.set(program.number, program);
      const known =
        error instanceof ProgramLoadError ? error : new ProgramLoadError("WORKER_LOST", "", error.message);
      this.#events.broken(program.number, known);
    };
    this.#loads.push({ program, resolve: () => undefined, reject, attempts: 0, sinceMs: 0 });
  }

  /** Somebody needs the program. */
  need(program: number): void {
    const broken = this.#broken.get(program);
    if (broken === undefined) return;
    this.#broken.delete(program);
    this.#programs.set(program, broken);
    this.#loadAgain(broken);
    if (this.#loads.length === 1) this.#loadNext();
  }

  /** A thread that dies again and again, by nobody's fault, does not take the machine with it. */
  async #pause(): Promise<void> {
    const { clock, signal } = this.#dependencies;
    const ms = this.#deathsInARow <= deathsMax ? 0 : Math.min(backoffMaxMs, 50 * 2 ** this.#deathsInARow);
    if (ms > 0) {
      this.#pausing = true;
      await clock.sleep(ms, signal).catch(() => undefined);
      this.#pausing = false;
    }
    if (!signal.aborted) this.#loadNext();
  }
}
