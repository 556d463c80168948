// A runtime as it runs: embedded stores on disk, the worker host, lanes of flights, one query that pays compensation by
// a table. What its benchmarks share; each says what it measures.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import type { RunningRuntime } from "@greco/app-runtime";
import { startRuntime } from "@greco/app-runtime";
import type {
  ChangedBinding,
  LambdaContent,
  QueryContent,
  StreamContent,
  TableContent,
} from "@greco/domain/epoch";
import type { LaneId } from "@greco/domain/lane";
import { seq } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { candidateId, epoch, hashOf, modelId } from "@greco/domain/model";
import type { LaneWriter, OpenLane } from "@greco/lane-kit";
import { openLaneWriter } from "@greco/lane-kit";
import type { BindingStore, FunctionHost, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import { systemClock as clock, systemIds as ids } from "@greco/service-kit";

export const RIG_MODEL = modelId("bench");
const FLIGHTS = "stream/flights@1" as EntityIdentity;
const PAYMENTS = "stream/payments@1" as EntityIdentity;
const QUERY = "query/compensation@1" as EntityIdentity;
const BANDS = "table/bands@1" as EntityIdentity;
const LEASE_MS = 10_000;

const ignore = (): void => undefined;
const log: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => log };

const properties = { date: { type: "string" }, delay: { type: "number" }, distance: { type: "number" } };
const flightSchema = { type: "object", properties };
const rowSchema = {
  type: "object",
  properties: { id: { type: "string" }, max: { type: "number" }, pay: { type: "number" } },
};
const stream = (name: string): StreamContent => ({ name, schema: flightSchema, lanes: 4 });
const bands: TableContent = {
  name: "bands",
  key: "id",
  schema: rowSchema,
  rows: [
    { id: "short", max: 500, pay: 250 },
    { id: "long", max: 10_000, pay: 600 },
  ],
};

/** Pays from this delay on; every flight has more, so that each message has one output. */
function query(version: number): QueryContent {
  return {
    name: "compensation",
    from: "flights",
    to: "payments",
    tables: ["bands"],
    where: `event.delay >= ${(version % 100) + 0.5}`,
    select: {
      date: "event.date",
      delay: "event.delay",
      pay: "event.distance < tables.bands['short'].max ? tables.bands['short'].pay : tables.bands['long'].pay",
    },
    onError: { retries: 0, then: "dead-letter" },
    timeoutMs: 10_000,
    schemas: { from: flightSchema, tables: { bands: rowSchema } },
  };
}

/** Flights as they are published. */
export const RIG_PAYLOADS: readonly Uint8Array[] = Array.from({ length: 64 }, (_, index) =>
  Buffer.from(
    JSON.stringify({
      date: "2001/01/10 12:30",
      delay: 130 + index,
      distance: 350 + index * 7,
      origin: "ABE",
      destination: "ORD",
    }),
  ),
);

/** Whoever commits, writes and runs is a process of its own, or one: then the wakes are one, too. */
export type RigStores = {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  readonly writerWake: Wake;
  readonly runtimeWake: Wake;
};

export type OpenRigStores = (stack: AsyncDisposableStack, signal: AbortSignal) => Promise<RigStores>;

async function onEmbedded(stack: AsyncDisposableStack): Promise<RigStores> {
  const folder = await mkdtemp(join(tmpdir(), "greco-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const laneStore = stack.use(await openEmbeddedLaneStore({ path: join(folder, "lanes"), clock }));
  const bindingStore = stack.use(await openEmbeddedBindingStore({ path: join(folder, "bindings"), clock }));
  const wake = stack.use(createEmbeddedWake());
  return { laneStore, bindingStore, wake, writerWake: wake, runtimeWake: wake };
}

/** In place of the worker host: the query is a function, which the host calls. */
export type RigFunction = { readonly host: FunctionHost; readonly lambda: LambdaContent };

export class RuntimeRig implements AsyncDisposable {
  readonly laneStore: LaneStore;
  readonly #bindingStore: BindingStore;
  readonly #wake: Wake;
  readonly #runtimeWake: Wake;
  readonly #host: FunctionHost;
  readonly #writer: LaneWriter;
  readonly #signal: AbortSignal;
  readonly #stack: AsyncDisposableStack;
  readonly #lambda: LambdaContent | undefined;
  #version = 0;

  private constructor(
    stores: RigStores,
    host: FunctionHost,
    lambda: LambdaContent | undefined,
    writer: LaneWriter,
    stack: AsyncDisposableStack,
    signal: AbortSignal,
  ) {
    this.laneStore = stores.laneStore;
    this.#bindingStore = stores.bindingStore;
    this.#wake = stores.wake;
    this.#runtimeWake = stores.runtimeWake;
    this.#host = host;
    this.#lambda = lambda;
    this.#writer = writer;
    this.#stack = stack;
    this.#signal = signal;
  }

  /** `given` is the caller's to dispose. */
  static async open(
    signal: AbortSignal,
    openStores: OpenRigStores = onEmbedded,
    given?: RigFunction,
  ): Promise<RuntimeRig> {
    await using opening = new AsyncDisposableStack();
    const stores = await openStores(opening, signal);
    const host = given?.host ?? opening.use(createWorkerFunctionHost({ threads: 1, clock, log }));
    const { laneStore, bindingStore, writerWake: wake } = stores;
    const options = {
      ...{ laneStore, bindingStore, wake, clock, ids, log },
      ...{ model: RIG_MODEL, name: "source", leaseMs: LEASE_MS },
    };
    const writer = opening.use(await openLaneWriter(options, signal));
    const rig = new RuntimeRig(stores, host, given?.lambda, writer, opening.move(), signal);
    await rig.#commit([
      [FLIGHTS, stream("flights")],
      [PAYMENTS, stream("payments")],
      [BANDS, bands],
      [QUERY, rig.#query(0)],
    ]);
    return rig;
  }

  /** A new version of the query takes effect: each message in flight is of one or the other. */
  async switchQuery(committed: () => void = () => undefined): Promise<void> {
    await this.#commit([[QUERY, this.#query(this.#version)]], committed);
  }

  /** A function holds its tables itself. */
  #query(version: number): QueryContent {
    const lambda = this.#lambda;
    return lambda === undefined ? query(version) : { ...query(version), tables: [], lambda };
  }

  /** The newest. */
  get epoch(): number {
    return this.#version;
  }

  /** `committed` is called when the bindings are written, as by conductors, and the ledger is not. */
  async #commit(
    contents: readonly (readonly [EntityIdentity, object])[],
    committed: () => void = () => undefined,
  ): Promise<void> {
    this.#version += 1;
    const candidate = candidateId(`c${this.#version}`);
    const bindings = contents.map(([entity, value]) => {
      const content = JSON.stringify(value);
      return { model: RIG_MODEL, entity, candidate, hash: hashOf(content), content };
    });
    await this.#bindingStore.putBindings(bindings, this.#signal);
    const changed = bindings.map(({ entity, hash }): ChangedBinding => ({
      entity,
      candidate,
      hash,
      removed: false,
    }));
    const scope = [FLIGHTS, PAYMENTS];
    const entry = { model: RIG_MODEL, epoch: epoch(this.#version), candidate, scope, bindings: changed };
    committed();
    await this.laneStore.appendLedger({ ...entry, committedAtMs: clock.nowMs() }, this.#signal);
    this.#wake.notify(wakeTopics.ledger(RIG_MODEL));
  }

  async openLanes(count: number): Promise<readonly OpenLane[]> {
    const lanes: OpenLane[] = [];
    for (let each = 0; each < count; each++)
      lanes.push(await this.#writer.openLane({ stream: FLIGHTS }, this.#signal));
    return lanes;
  }

  /** Appends so many flights; resolves when all are durable. */
  async publish(lane: OpenLane, count: number): Promise<void> {
    const appended: Promise<unknown>[] = [];
    for (let each = 0; each < count; each++) {
      const payload = RIG_PAYLOADS[each % RIG_PAYLOADS.length] as Uint8Array;
      appended.push(lane.append([{ key: "", payload }], this.#signal));
      if (appended.length >= 4_096) await Promise.all(appended.splice(0));
    }
    await Promise.all(appended);
  }

  startRuntime(more: { readonly benchmarkWithoutEpochCheck?: boolean } = {}): Promise<RunningRuntime> {
    const stores = { laneStore: this.laneStore, bindingStore: this.#bindingStore, wake: this.#runtimeWake };
    return startRuntime(
      { ...stores, clock, ids, log, functionHost: this.#host },
      { listen: { host: "127.0.0.1", port: 0 }, leaseMs: LEASE_MS, ...more },
      this.#signal,
    );
  }

  /** Waits until the runtime has written so many outputs since it began. */
  async outputs(runtime: RunningRuntime, count: number): Promise<void> {
    while ((runtime.status()[0]?.counts.outputs ?? 0) < count) await clock.sleep(2, this.#signal);
  }

  async switchEvery(ms: number, over: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([over, this.#signal]);
    while (!signal.aborted) {
      await clock.sleep(ms, signal).catch(() => undefined);
      if (!signal.aborted) await this.switchQuery();
    }
    this.#signal.throwIfAborted();
  }

  /** Ends the lanes, waits until they are done, and stops the runtime, so that the next round finds an empty house. */
  async finish(runtime: RunningRuntime, lanes: readonly OpenLane[]): Promise<void> {
    for (const lane of lanes) await lane.end(this.#signal);
    while ((runtime.status()[0]?.units.length ?? 0) > 0) await clock.sleep(5, this.#signal);
    await runtime[Symbol.asyncDispose]();
  }

  /** When each derived lane of these had its outputs and its markers, by the writer's clock. */
  async derivedTimes(
    inputs: readonly OpenLane[],
  ): Promise<readonly { readonly times: readonly number[]; readonly markers: readonly number[] }[]> {
    const ids = new Set(inputs.map(({ id }) => id));
    const all = await this.laneStore.listLanes(RIG_MODEL, { includeFinished: true }, this.#signal);
    const derived = all.filter(({ info }) => info.derived !== undefined && ids.has(info.derived.inputLane));
    return Promise.all(derived.map(({ info }) => this.#timesOf(info.id)));
  }

  async #timesOf(lane: LaneId): Promise<{ times: readonly number[]; markers: readonly number[] }> {
    const times: number[] = [];
    const markers: number[] = [];
    for (let from = 1; ;) {
      const { entries } = await this.laneStore.read(RIG_MODEL, lane, seq(from), 1_000, this.#signal);
      if (entries.length === 0) return { times, markers };
      for (const entry of entries)
        if (entry.kind === "data") times.push(entry.appendedAtMs);
        // The first one opened the lane.
        else if (entry.seq > 1) markers.push(entry.appendedAtMs);
      from += entries.length;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync().then(() => undefined);
  }
}
