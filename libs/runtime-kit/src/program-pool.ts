/**
 * Programs that are loaded in the host, counted by who needs them. One that nobody needs stays a while, because a
 * lagging lane may come to it again.
 */
import type { Clock, FunctionHost, Log, Program } from "@greco/ports";

/** What executes: a `FunctionHost`, or anything that can do the same. */
export type Executor = Pick<FunctionHost, "load" | "invoke" | "unload">;

type Loaded = { users: number; readonly loading: Promise<void>; idleSinceMs: number };

export type ProgramPoolOptions = {
  readonly host: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly lingerMs: number;
  /** Ends the loading that nobody waits for any more. */
  readonly signal: AbortSignal;
};

export class ProgramPool {
  readonly #options: ProgramPoolOptions;
  readonly #programs = new Map<string, Loaded>();

  constructor(options: ProgramPoolOptions) {
    this.#options = options;
  }

  /** Loads it, if it is not; needed until `release`. Rejects, without being needed, when it cannot be loaded. */
  async acquire(program: Program): Promise<void> {
    const loaded = this.#loaded(program);
    loaded.users += 1;
    try {
      await loaded.loading;
    } catch (error) {
      loaded.users -= 1;
      throw error;
    }
  }

  release(programId: string): void {
    const loaded = this.#programs.get(programId);
    if (loaded === undefined) return;
    loaded.users -= 1;
    if (loaded.users === 0) loaded.idleSinceMs = this.#options.clock.monotonicMs();
  }

  /** Loads what an epoch will need, so that its marker costs no compile time. Failing is the marker's matter. */
  preload(program: Program): void {
    if (this.#programs.has(program.id)) return;
    this.#loaded(program).loading.catch((error: unknown) => {
      this.#options.log.warn("program.preload-failed", { program: program.id, error });
    });
  }

  /** Unloads what nobody has needed for a while. */
  sweep(): void {
    const { host, clock, lingerMs } = this.#options;
    for (const [id, { users, idleSinceMs }] of this.#programs)
      if (users === 0 && clock.monotonicMs() - idleSinceMs >= lingerMs) {
        this.#programs.delete(id);
        host.unload(id);
      }
  }

  /** Unloads everything: the runtime ends. */
  clear(): void {
    for (const id of this.#programs.keys()) this.#options.host.unload(id);
    this.#programs.clear();
  }

  #loaded(program: Program): Loaded {
    const known = this.#programs.get(program.id);
    if (known !== undefined) return known;
    const { host, clock, signal } = this.#options;
    const loading = host.load(program, signal);
    const loaded: Loaded = { users: 0, loading, idleSinceMs: clock.monotonicMs() };
    this.#programs.set(program.id, loaded);
    loading.catch(() => {
      // What failed is tried again by the next who needs it.
      if (this.#programs.get(program.id) === loaded) this.#programs.delete(program.id);
    });
    return loaded;
  }
}
