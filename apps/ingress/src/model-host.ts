/**
 * All that the ingress does for one model: follows its ledger and lanes, holds a writer (a new one whenever its lease is
 * lost), keeps a lane of the built-in stream `epochs` open, seals dead writers, keeps house.
 *
 * I9. It needs the stores of the data plane and nothing else. I10: it sends the control plane nothing.
 */
import type { LedgerEntry } from "@greco/domain/epoch";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import { epoch, EPOCHS_STREAM } from "@greco/domain/model";
import type { BindingReader, LaneDirectory, LaneWriter, LedgerFollower } from "@greco/lane-kit";
import {
  Backoff,
  createBindingReader,
  followLanes,
  followLedger,
  openLaneWriter,
  sealLapsedWriters,
} from "@greco/lane-kit";
import { keepHouse } from "./housekeeping.ts";
import type { GroupShape } from "./lane-groups.ts";
import { isOpen, LaneGroups, StreamGoneError } from "./lane-groups.ts";
import type { IngressContext } from "./options.ts";
import { Producers } from "./producers.ts";
import { StreamBindings } from "./stream-bindings.ts";
import { aborted, untilAborted } from "./waiting.ts";

export class ModelHost implements AsyncDisposable {
  readonly model: ModelId;
  readonly context: IngressContext;
  readonly ledger: LedgerFollower;
  readonly lanes: LaneDirectory;
  readonly bindings: BindingReader;
  readonly streams: StreamBindings;
  readonly producers: Producers;
  readonly #groups = new Map<EntityIdentity, LaneGroups>();
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  #writer: LaneWriter | undefined;
  #nextWriter = Promise.withResolvers<LaneWriter>();
  #tasks: readonly Promise<void>[] = [];
  readonly #ending = new Set<Promise<void>>();
  #disposing: Promise<void> | undefined;
  /** It ends gracefully: what fails by that is no news. */
  #leaving = false;

  /** Use `openModelHost`. */
  constructor(
    context: IngressContext,
    model: ModelId,
    parts: {
      readonly ledger: LedgerFollower;
      readonly lanes: LaneDirectory;
      readonly bindings: BindingReader;
    },
  ) {
    this.context = context;
    this.model = model;
    this.ledger = parts.ledger;
    this.lanes = parts.lanes;
    this.bindings = parts.bindings;
    this.streams = new StreamBindings(parts.bindings);
    this.producers = new Producers(this);
    this.#nextWriter.promise.catch(() => undefined);
    this.#forget = parts.ledger.onGrow((entry) => this.#reconsider(entry));
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  start(): void {
    const options = { ...this.context, model: this.model, leaseMs: this.context.limits.leaseMs };
    this.#tasks = [
      this.#keepWriter(),
      this.#keepEpochsLane(),
      sealLapsedWriters(options, this.signal),
      keepHouse(this, this.signal),
    ];
  }

  /** The groups of lanes of one stream. */
  groups(stream: EntityIdentity): LaneGroups {
    let groups = this.#groups.get(stream);
    if (groups === undefined) {
      const { ids, log } = this.context;
      groups = new LaneGroups({
        stream,
        ledger: this.ledger,
        ids,
        log,
        writer: () => this.#writerNow(),
        shape: () => this.#shape(stream),
      });
      this.#groups.set(stream, groups);
    }
    return groups;
  }

  /** Every stream that this ingress has lanes of. */
  allGroups(): readonly LaneGroups[] {
    return [...this.#groups.values()];
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    return this.#disposing;
  }

  async #shape(stream: EntityIdentity): Promise<GroupShape> {
    if (stream === EPOCHS_STREAM) return { lanes: 1 };
    const ref = this.ledger.index.bindingAt(this.ledger.newest, stream);
    if (ref === undefined) throw new StreamGoneError(`${stream} is not in force any more`);
    return (await this.streams.load(ref, this.signal)).content;
  }

  #reconsider(entry: LedgerEntry): void {
    for (const { entity } of entry.bindings) this.#groups.get(entity)?.reconsider();
  }

  async #writerNow(): Promise<LaneWriter> {
    for (;;) {
      this.signal.throwIfAborted();
      if (this.#writer?.lost.aborted === false) return this.#writer;
      await untilAborted(this.#nextWriter.promise, this.signal);
    }
  }

  /** What an epoch needs is compiled before its markers go into the lanes, so that nobody waits for it there. */
  async #prepareEpoch(entry: LedgerEntry, signal: AbortSignal): Promise<void> {
    for (const binding of entry.bindings)
      if (!binding.removed && this.#groups.has(binding.entity)) await this.streams.load(binding, signal);
  }

  async #keepWriter(): Promise<void> {
    const { clock, ids, log, name, limits, failpoint } = this.context;
    let backoff = new Backoff(clock, ids);
    while (!this.#leaving) {
      try {
        const writer = await openLaneWriter(
          {
            ...this.context,
            limits: {},
            model: this.model,
            name,
            leaseMs: limits.leaseMs,
            ledger: this.ledger,
            prepareEpoch: (entry, signal) => this.#prepareEpoch(entry, signal),
            failpoint,
          },
          this.signal,
        );
        this.#writer = writer;
        this.#nextWriter.resolve(writer);
        this.#nextWriter = Promise.withResolvers();
        this.#nextWriter.promise.catch(() => undefined);
        backoff = new Backoff(clock, ids);
        await aborted(writer.lost);
        // Its loops end by themselves; the next writer does not wait for them.
        const ending = writer[Symbol.asyncDispose]();
        this.#ending.add(ending);
        void ending.finally(() => this.#ending.delete(ending));
      } catch (error) {
        if (this.#leaving) return;
        log.warn("writer.unopened", { model: this.model, error });
        await backoff.wait(this.signal).catch(() => undefined);
      }
    }
  }

  /** The moment of effect for kinds that touch no stream: a lane that holds the marker of every epoch. */
  async #keepEpochsLane(): Promise<void> {
    const { clock, ids, log } = this.context;
    const groups = this.groups(EPOCHS_STREAM);
    let backoff = new Backoff(clock, ids);
    while (!this.#leaving) {
      try {
        await this.ledger.waitFor(epoch(1), this.signal);
        const group = await groups.current(this.signal);
        backoff = new Backoff(clock, ids);
        const [lane] = group.lanes;
        if (lane !== undefined && isOpen(group)) await untilAborted(aborted(lane.closed), this.signal);
      } catch (error) {
        if (this.#leaving) return;
        log.warn("epochs.unopened", { model: this.model, error });
        await backoff.wait(this.signal).catch(() => undefined);
      }
    }
  }

  async #dispose(): Promise<void> {
    this.#leaving = true;
    this.#forget();
    // Gracefully first, so that its lanes have their ends and readers need not wait for a seal.
    await this.#writer?.[Symbol.asyncDispose]();
    this.#stop.abort(new Error("the ingress stops"));
    this.#nextWriter.reject(this.signal.reason as Error);
    await Promise.all([...this.#tasks, ...this.#ending]);
    await this.lanes[Symbol.asyncDispose]();
    await this.ledger[Symbol.asyncDispose]();
  }
}

export async function openModelHost(
  context: IngressContext,
  model: ModelId,
  signal: AbortSignal,
): Promise<ModelHost> {
  const options = { ...context, model, pollMs: context.limits.pollMs };
  await using opened = new AsyncDisposableStack();
  // Followed until the host is disposed: a graceful end still needs them.
  const life = new AbortController();
  const stop = (): void => life.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  opened.defer(() => signal.removeEventListener("abort", stop));
  const ledger = opened.use(await followLedger(options, life.signal));
  const lanes = opened.use(await followLanes(options, life.signal));
  const bindings = createBindingReader(options);
  const host = new ModelHost(context, model, { ledger, lanes, bindings });
  host.start();
  signal.removeEventListener("abort", stop);
  opened.move();
  return host;
}
