// A switch of epochs on NATS and Cassandra, with eight lanes, and the hops that it cannot do without, each by the same
// clients with nothing around it.
import { types } from "cassandra-driver";
import { openNatsWake } from "@greco/adapter-nats";
import type { Entry, LaneId } from "@greco/domain/lane";
import { candidateId, epoch, modelId } from "@greco/domain/model";
import type { OpenLane } from "@greco/lane-kit";
import type { Append, LaneStore, Wake } from "@greco/ports";
import { systemClock as clock } from "@greco/service-kit";
import { openDataPlane, type DataPlane } from "./data-plane.ts";
import { RawRows } from "./publish-rig.ts";
import { RuntimeRig } from "./runtime-rig.ts";

export const LANES = 8;
const RAW = modelId("raw");

/** Calls `seen` with each append that begins, before it does. */
function watching(store: LaneStore, seen: (append: Append) => void): LaneStore {
  return Object.assign(Object.create(store) as LaneStore, {
    append: (...args: Parameters<LaneStore["append"]>) => {
      for (const each of args[1]) seen(each);
      return store.append(...args);
    },
  });
}

const isOf = (entry: Entry, kind: Entry["kind"], at: number): boolean =>
  entry.kind === kind && entry.epoch === at;

export type Hops = {
  readonly ledger: number;
  readonly publish: number;
  readonly append: number;
  readonly wake: number;
  readonly read: number;
};

export type SwitchRig = AsyncDisposable & {
  /** From committed until the last lane's first output under the new epoch is on its way; milliseconds. */
  switched(): Promise<number>;
  hops(): Promise<Hops>;
};

export async function openSwitchRig(signal: AbortSignal): Promise<SwitchRig> {
  await using stack = new AsyncDisposableStack();
  const plane = stack.use(await openDataPlane(signal));
  const own = async (): Promise<Wake> => stack.use(await openNatsWake(plane.natsOptions, signal));
  const [writerWake, runtimeWake] = [await own(), await own()];
  let seen = (_append: Append): void => undefined;
  const laneStore = watching(plane.laneStore, (append) => seen(append));
  const { bindingStore, wake } = plane;
  const rig = stack.use(
    await RuntimeRig.open(signal, () =>
      Promise.resolve({ laneStore, bindingStore, wake, writerWake, runtimeWake }),
    ),
  );
  const lanes = await rig.openLanes(LANES);
  const runtime = await rig.startRuntime();
  stack.defer(() => rig.finish(runtime, lanes));
  await Promise.all(lanes.map((lane) => rig.publish(lane, 10)));
  await rig.outputs(runtime, 10 * LANES);
  const inputs = new Map(lanes.map((lane) => [lane.id, lane]));
  const raw = new RawHops(plane, writerWake, signal);
  const owned = stack.move();
  return {
    async switched() {
      const next = rig.epoch + 1;
      const processing = new Set<LaneId>();
      const all = Promise.withResolvers<number>();
      seen = ({ lane, entries }) => {
        const input = inputs.get(lane);
        if (input !== undefined) afterMarker(rig, input, entries, next);
        else if (entries.some((entry) => isOf(entry, "data", next))) {
          processing.add(lane);
          if (processing.size === LANES) all.resolve(performance.now());
        }
      };
      let committedAt = 0;
      await rig.switchQuery(() => {
        committedAt = performance.now();
      });
      return (await all.promise) - committedAt;
    },
    hops: () => raw.run(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** One message right behind the marker, so that there is something to process under the new epoch. */
function afterMarker(rig: RuntimeRig, lane: OpenLane, entries: readonly Entry[], next: number): void {
  if (entries.some((entry) => isOf(entry, "marker", next))) void rig.publish(lane, 1);
}

class RawHops {
  readonly #plane: DataPlane;
  readonly #heard: Wake;
  readonly #rows: RawRows;
  readonly #signal: AbortSignal;
  #epoch = 0;

  constructor(plane: DataPlane, heard: Wake, signal: AbortSignal) {
    this.#plane = plane;
    this.#heard = heard;
    this.#rows = new RawRows(plane.raw);
    this.#signal = signal;
  }

  async run(): Promise<Hops> {
    return {
      ledger: await timed(() => this.#ledger()),
      publish: await this.#hint(),
      append: await timed(() => this.#rows.insert()),
      wake: await this.#hint(),
      read: await timed(() => this.#read()),
    };
  }

  async #ledger(): Promise<void> {
    this.#epoch += 1;
    const at = { model: RAW, epoch: epoch(this.#epoch), candidate: candidateId(`c${this.#epoch}`) };
    const entry = { ...at, scope: [], bindings: [], committedAtMs: clock.nowMs() };
    await this.#plane.laneStore.appendLedger(entry, this.#signal);
  }

  /** From one connection to another. */
  async #hint(): Promise<number> {
    const topic = "raw";
    const came = Promise.withResolvers<void>();
    const stop = this.#heard.listen(topic, came.resolve);
    // The subscription must stand before it is measured: the server handles a connection's words in their order.
    await timed(() => this.#answered());
    const took = await timed(async () => {
      this.#plane.wake.notify(topic);
      await came.promise;
    });
    stop();
    return took;
  }

  async #answered(): Promise<void> {
    const came = Promise.withResolvers<void>();
    const topic = "raw-there";
    const stop = this.#heard.listen(topic, came.resolve);
    const over = new AbortController();
    const again = async (): Promise<void> => {
      while (!over.signal.aborted) {
        this.#plane.wake.notify(topic);
        await clock.sleep(5, this.#signal);
      }
    };
    const hinting = again();
    await came.promise;
    over.abort();
    await hinting;
    stop();
  }

  async #read(): Promise<void> {
    const { id, bucket } = this.#rows.last;
    const cql =
      "SELECT seq, entry FROM message_kept WHERE model = ? AND lane = ? AND bucket = ? AND seq >= ? LIMIT ?";
    await this.#plane.raw.execute(cql, ["bench", id, bucket, this.#rows.last.seq, 32], {
      prepare: true,
      isIdempotent: true,
      consistency: types.consistencies.localQuorum,
    });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
