/**
 * Makes any program a runtime that switches in-band: it serves queries of some kinds of one model, reads their input
 * lanes, executes each message under the bindings of the epoch at its position, writes derived lanes, forwards markers,
 * shares the work with the other runtimes of the model, and takes over from those that die.
 *
 * I9. It needs the lane store and the binding store, nothing else.
 * I10. It sends the control plane nothing but a cold-boot request, and that only if it was given one to send.
 */
import type { FoldedBindings } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch, ModelId } from "@greco/domain/model";
import type { LaneDirectory, LedgerFollower } from "@greco/lane-kit";
import {
  createBindingReader,
  followLanes,
  followLedger,
  isPassing,
  openLaneWriter,
  persist,
  sealLapsedWriters,
  snapshotStart,
} from "@greco/lane-kit";
import type { BindingStore, Clock, Ids, LaneStore, Log, Wake } from "@greco/ports";
import type { ColdBoot } from "./cold-boot.ts";
import { ColdBooter } from "./cold-boot.ts";
import { Incarnation } from "./incarnation.ts";
import { LaneListing } from "./lane-listing.ts";
import type { RuntimeLimits } from "./limits.ts";
import { RUNTIME_LIMITS } from "./limits.ts";
import type { Executor } from "./program-pool.ts";
import { ProgramPool } from "./program-pool.ts";
import type { QueryReads } from "./query-catalog.ts";
import { QueryCatalog, readsOfQuery } from "./query-catalog.ts";
import { ByteBudget, CallPlaces } from "./shares.ts";
import type { UnitStatus } from "./unit.ts";
import type { Failpoint, RuntimeCounts, UnitWorld } from "./unit-world.ts";

export type RunLanesOptions = {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: ModelId;
  /** Who works, for people: `runtime-1`. */
  readonly name: string;
  /** The same for all who write, read or seal in the model (R2). */
  readonly leaseMs: number;
  /** What executes. A `FunctionHost` does; so does an object of a program's own with the same three functions. */
  readonly host: Executor;
  /** Kinds whose entities read streams. Default: `query`. */
  readonly kinds?: readonly string[];
  /** Which of them this runtime executes; the others are other runtimes'. Default: all. */
  readonly serves?: (query: EntityIdentity) => boolean;
  /** Where a binding says that its entity reads and writes. Default: as the kind `query` does. */
  readonly reads?: (content: string) => QueryReads;
  readonly coldBoot?: ColdBoot;
  readonly limits?: Partial<RuntimeLimits>;
  readonly failpoint?: Failpoint;
  /** Only benchmarks: see `CallWindowOptions.epochCheck`. */
  readonly epochCheck?: boolean;
};

export type RunnerStatus = {
  readonly model: ModelId;
  readonly name: string;
  /** The present incarnation's writer; undefined: between two. */
  readonly writer: string | undefined;
  readonly members: readonly string[];
  readonly ledger: Epoch;
  readonly units: readonly UnitStatus[];
  /** Queries of which it is not known what they read, because a binding is missing (I12). */
  readonly unresolved: readonly EntityIdentity[];
  readonly counts: Readonly<RuntimeCounts>;
};

/** Disposal is graceful: it finishes what is under way, ends its lanes and gives its units up. */
export interface LaneRunner extends AsyncDisposable {
  status(): RunnerStatus;
  /** Settles when it has stopped; rejects for a programmer's error, on which the process should end. */
  readonly stopped: Promise<void>;
}

/** Resolves once the stores were read; `signal` ends it at once, disposal gracefully. */
export async function runLanes(options: RunLanesOptions, signal: AbortSignal): Promise<LaneRunner> {
  const stop = new AbortController();
  const alive = AbortSignal.any([signal, stop.signal]);
  const from = await foldedStart(options, alive);
  const ledger = await followLedger({ ...options, ...(from === undefined ? {} : { from }) }, alive);
  try {
    const directory = await followLanes(options, alive);
    return new Runner(options, ledger, directory, stop, alive);
  } catch (error) {
    await ledger[Symbol.asyncDispose]();
    throw error;
  }
}

/** Where it may begin in the ledger; at its beginning, where the stores cannot say it now. */
async function foldedStart(
  options: RunLanesOptions,
  signal: AbortSignal,
): Promise<FoldedBindings | undefined> {
  try {
    return await snapshotStart(options, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isPassing(error)) throw error;
    options.log.warn("runtime.no-snapshot", { model: options.model, error });
    return undefined;
  }
}

/** Pause after a lost lease, before the next incarnation. */
const REJOIN_MS = 50;

class Runner implements LaneRunner {
  readonly stopped: Promise<void>;
  readonly #options: RunLanesOptions;
  readonly #ledger: LedgerFollower;
  readonly #directory: LaneDirectory;
  readonly #stop: AbortController;
  readonly #signal: AbortSignal;
  readonly #catalog: QueryCatalog;
  readonly #pool: ProgramPool;
  readonly #limits: RuntimeLimits;
  readonly #counts: RuntimeCounts = {
    inputs: 0,
    outputs: 0,
    deadLetters: 0,
    skipped: 0,
    retries: 0,
    lettersDropped: 0,
    unretained: 0,
  };
  #now: { readonly incarnation: Incarnation; readonly writer: string } | undefined;
  #draining = false;
  #disposing: Promise<void> | undefined;

  constructor(
    options: RunLanesOptions,
    ledger: LedgerFollower,
    directory: LaneDirectory,
    stop: AbortController,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#ledger = ledger;
    this.#directory = directory;
    this.#stop = stop;
    this.#signal = signal;
    this.#limits = { ...RUNTIME_LIMITS, ...options.limits };
    const { model, clock, log, host, coldBoot } = options;
    const booter =
      coldBoot && new ColdBooter({ model, ask: coldBoot, clock, log, limits: this.#limits, signal });
    this.#catalog = new QueryCatalog({
      ledger,
      bindings: createBindingReader(options),
      kinds: options.kinds ?? ["query"],
      reads: options.reads ?? readsOfQuery,
      signal,
      ...(booter === undefined ? {} : { missed: booter.missed }),
    });
    this.#pool = new ProgramPool({ host, clock, log, lingerMs: this.#limits.programLingerMs, signal });
    this.stopped = this.#run();
    this.stopped.catch(() => undefined);
  }

  status(): RunnerStatus {
    return {
      model: this.#options.model,
      name: this.#options.name,
      writer: this.#now?.writer,
      members: this.#now?.incarnation.members ?? [],
      ledger: this.#ledger.newest,
      units: this.#now?.incarnation.units ?? [],
      unresolved: this.#catalog.unresolved,
      counts: { ...this.#counts },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    return this.#disposing;
  }

  async #run(): Promise<void> {
    const sealing = sealLapsedWriters(this.#options, this.#signal);
    try {
      while (!this.#signal.aborted && !this.#draining) await this.#incarnation();
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      this.#stop.abort(new Error("the runtime stops"));
      await sealing;
      await this.#directory[Symbol.asyncDispose]();
      await this.#ledger[Symbol.asyncDispose]();
      this.#pool.clear();
    }
  }

  /** One life: from a new lease until it is lost, or given back. */
  async #incarnation(): Promise<void> {
    const { laneStore, model, clock, ids, log, name } = this.#options;
    const signal = this.#signal;
    const open = () => openLaneWriter({ ...this.#options, ledger: this.#ledger }, signal);
    const writer = await persist(open, clock, signal, ids);
    const world: UnitWorld = {
      ...this.#options,
      limits: this.#limits,
      writer,
      ledger: this.#ledger,
      catalog: this.#catalog,
      listing: new LaneListing(laneStore, model, writer.lost),
      pool: this.#pool,
      budget: new ByteBudget(this.#limits.runtimeBytes),
      places: new CallPlaces(this.#limits.queryCalls),
      counts: this.#counts,
    };
    const serves = this.#options.serves ?? (() => true);
    const incarnation = new Incarnation({ world, directory: this.#directory, name, serves });
    this.#now = { incarnation, writer: writer.id };
    log.info("runtime.joined", { model, name, writer: writer.id });
    try {
      await incarnation.run(signal);
    } finally {
      await writer[Symbol.asyncDispose]();
      await incarnation.idle();
      this.#now = undefined;
    }
    if (signal.aborted || this.#draining) return;
    log.warn("runtime.lost", { model, name, writer: writer.id, why: String(writer.lost.reason) });
    // What it had is sealed by others, or by the next incarnation, and taken over as anybody's.
    await laneStore.leave(model, writer.id, signal).catch(() => undefined);
    await clock.sleep(REJOIN_MS, signal);
  }

  async #dispose(): Promise<void> {
    this.#draining = true;
    const { clock, leaseMs } = this.#options;
    await this.#now?.incarnation.drain(this.#signal);
    // The writer ends its lanes and gives its lease back within one lease.
    const enough = new AbortController();
    const bound = clock
      .sleep(2 * leaseMs, AbortSignal.any([this.#signal, enough.signal]))
      .catch(() => undefined);
    await Promise.race([this.stopped.catch(() => undefined), bound]);
    enough.abort();
    this.#stop.abort(new Error("the runtime stops"));
    await this.stopped.catch(() => undefined);
  }
}
