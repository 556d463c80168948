/** Whole runtimes on given stores: sources that publish, runtimes that come, die and sleep, all in one process. */
import type { OpenLane, LaneWriter } from "@greco/lane-kit";
import { followLedger, openLaneWriter } from "@greco/lane-kit";
import type { BindingStore, Clock, Ids, LaneStore, Log, Wake } from "@greco/ports";
import type { RuntimeLimits } from "../limits.ts";
import type { LaneRunner, RunLanesOptions } from "../run-lanes.ts";
import { runLanes } from "../run-lanes.ts";
import type { ScriptedHost } from "./scripted-host.ts";
import { scriptedHost } from "./scripted-host.ts";
import { MODEL, SmallModel } from "./small-model.ts";

export const LEASE_MS = 1_000;

export type WorldStores = {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Default `LEASE_MS`: on a simulated clock no store is slow. */
  readonly leaseMs?: number;
};

export type TestRuntime = {
  readonly runner: LaneRunner;
  readonly host: ScriptedHost;
  /** Ends at once, as if the process had died: nothing is ended, nothing is given up. */
  kill(): Promise<void>;
};

/** Short pauses, so that a simulated minute holds much. */
export const TEST_LIMITS: Partial<RuntimeLimits> = {
  holdMinMs: 500,
  scanMs: 200,
  checkpointMs: 300,
  ordersMs: 200,
  holdRetryMs: 100,
  retryMs: 20,
  drainMs: 2_000,
};

const encoder = new TextEncoder();

export class World {
  readonly model: SmallModel;
  readonly stores: WorldStores;
  readonly log: Log;
  readonly logged: string[] = [];
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();

  constructor(stores: WorldStores) {
    this.stores = stores;
    this.model = new SmallModel(stores);
    this.#signal = this.#stop.signal;
    this.log = directLog(this.logged);
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** A writer of source lanes, as an ingress has one; it dies when `process` aborts. */
  source(name: string, process?: AbortSignal): Promise<LaneWriter> {
    return openLaneWriter(
      { leaseMs: LEASE_MS, ...this.stores, log: this.log, model: MODEL, name },
      process === undefined ? this.#signal : AbortSignal.any([this.#signal, process]),
    );
  }

  openLane(writer: LaneWriter, stream: string): Promise<OpenLane> {
    return writer.openLane({ stream: this.model.identity("stream", stream) }, this.#signal);
  }

  async publish(lane: OpenLane, ...texts: readonly string[]): Promise<void> {
    await Promise.all(
      texts.map((text) => lane.append([{ key: text, payload: encoder.encode(text) }], this.#signal)),
    );
  }

  /** Folds the bindings at the newest epoch, as a conductor does now and then. */
  async fold(): Promise<void> {
    const { bindingStore } = this.stores;
    await using follower = await followLedger({ ...this.stores, log: this.log, model: MODEL }, this.#signal);
    const { index, newest: epoch } = follower;
    const bindings = [...index.bindingsAt(epoch).values()].map(({ entity, candidate, hash }) => ({
      entity,
      candidate,
      hash,
    }));
    await bindingStore.putSnapshot({ model: MODEL, epoch, bindings }, this.#signal);
  }

  /** `through`: the stores as this runtime sees them. */
  async runtime(
    name: string,
    through: Partial<WorldStores> = {},
    more: Partial<RunLanesOptions> = {},
  ): Promise<TestRuntime> {
    const host = scriptedHost();
    const process = new AbortController();
    const options: RunLanesOptions = {
      leaseMs: LEASE_MS,
      ...this.stores,
      ...through,
      log: this.log,
      model: MODEL,
      name,
      host,
      limits: TEST_LIMITS,
      ...more,
    };
    const runner = await runLanes(options, AbortSignal.any([this.#signal, process.signal]));
    return {
      runner,
      host,
      async kill() {
        process.abort(new Error("killed"));
        await runner.stopped.catch(() => undefined);
      },
    };
  }

  /** Everything that still runs ends. */
  end(): void {
    this.#stop.abort(new Error("the test is over"));
  }
}

/** A log that keeps its lines. */
export function directLog(lines: string[]): Log {
  const write =
    (level: string) =>
    (event: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (lines.length < 20_000) lines.push(`${level} ${event} ${show(fields)}`);
    };
  const log: Log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: () => log,
  };
  return log;
}

function show(fields: Readonly<Record<string, unknown>> | undefined): string {
  return JSON.stringify(fields ?? {}, (_key, value: unknown) =>
    value instanceof Error ? value.stack : value,
  );
}
