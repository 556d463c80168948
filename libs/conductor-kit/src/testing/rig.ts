/** One conductor on embedded stores in a folder, with a scripted control plane before it. */
import { join } from "node:path";
import {
  openEmbeddedBindingStore,
  openEmbeddedControlLog,
  openEmbeddedLaneStore,
  createEmbeddedWake,
} from "@greco/adapter-embedded";
import type { LedgerEntry } from "@greco/domain/epoch";
import { candidateId, conductorId, epoch, modelId, type EntityIdentity } from "@greco/domain/model";
import {
  wakeTopics,
  type BindingStore,
  type Clock,
  type ControlLog,
  type LaneStore,
  type Log,
  type Wake,
} from "@greco/ports";
import { createLog, FailpointError, systemClock, systemIds, type Failpoint } from "@greco/service-kit";
import { vi } from "vitest";
import type { Conductor } from "../conductor.ts";
import { startConductor, type RunningConductor } from "../host.ts";
import type { JournalEntry } from "../journal.ts";
import type { ConductorLimits } from "../limits.ts";
import { ScriptedControl } from "./scripted-control.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export const model = modelId("m");

export type RigOptions = { readonly clock?: Clock; readonly limits?: Partial<ConductorLimits> };

const QUICK: Partial<ConductorLimits> = {
  leaseMs: 600,
  quietMs: 60,
  backoffMinMs: 2,
  backoffMaxMs: 20,
  retireMs: 20,
  writerLeaseMs: 20,
  modelsMs: 50,
};

/** Waits for a level. */
export const until = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: 20_000, interval: 5 });

export class Rig implements AsyncDisposable {
  readonly signal = new AbortController().signal;
  readonly log: Log = createLog({ service: "test", level: "silent" });
  readonly stack: AsyncDisposableStack;
  readonly folder: string;
  readonly bindings: BindingStore;
  readonly lanes: LaneStore;
  readonly controlLog: ControlLog;
  readonly wake: Wake;
  readonly control: ScriptedControl;
  readonly #options: RigOptions;
  /** How often the lanes were listed: each look of a retire lists them once. */
  looks = 0;
  running: RunningConductor | undefined;

  private constructor(
    parts: Pick<Rig, "stack" | "folder" | "bindings" | "lanes" | "controlLog" | "wake" | "control">,
    options: RigOptions,
  ) {
    this.stack = parts.stack;
    this.folder = parts.folder;
    this.bindings = parts.bindings;
    this.lanes = parts.lanes;
    const list = parts.lanes.listLanes.bind(parts.lanes);
    parts.lanes.listLanes = (...args) => {
      this.looks += 1;
      return list(...args);
    };
    this.controlLog = parts.controlLog;
    this.wake = parts.wake;
    this.control = parts.control;
    this.#options = options;
  }

  static async open(options: RigOptions = {}): Promise<Rig> {
    const stack = new AsyncDisposableStack();
    const folder = stack.use(temporaryFolder("conductor")).path;
    const clock = systemClock;
    const bindings = stack.use(await openEmbeddedBindingStore({ path: join(folder, "bindings.db"), clock }));
    const lanes = stack.use(await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock }));
    const controlLog = stack.use(await openEmbeddedControlLog({ path: join(folder, "control.db"), clock }));
    const wake = stack.use(createEmbeddedWake());
    const log = createLog({ service: "test", level: "silent" });
    const control = stack.use(await ScriptedControl.start(controlLog, log, new AbortController().signal));
    return new Rig({ stack, folder, bindings, lanes, controlLog, wake, control }, options);
  }

  /** Starts the conductor, or the next incarnation of it. */
  async start(
    conductor: Conductor,
    failpoint: Failpoint = () => Promise.resolve(),
    writesSnapshots = false,
  ): Promise<RunningConductor> {
    const { clock = systemClock, limits } = this.#options;
    this.running = await startConductor(
      conductor,
      {
        ...this.control.clients(),
        controlLog: this.controlLog,
        bindingStore: this.bindings,
        laneStore: this.lanes,
        wake: this.wake,
        clock,
        ids: systemIds,
        log: this.log,
        failpoint,
      },
      { limits: { ...QUICK, ...limits }, writesSnapshots },
      this.signal,
    );
    return this.running;
  }

  async stop(): Promise<void> {
    await this.running?.[Symbol.asyncDispose]();
    this.running = undefined;
  }

  /** The journal, as it stands in the store. */
  async journal(): Promise<readonly JournalEntry[]> {
    const records = await this.bindings.readJournal(model, conductorId("c"), 0, 1_000, this.signal);
    return records.map(({ json }) => (JSON.parse(json) as { entry: JournalEntry }).entry);
  }

  /** `thing/a@1` of each binding row of a candidate. */
  async rowsOf(candidate: string): Promise<readonly string[]> {
    const rows = await this.bindings.listBindings(model, candidateId(candidate), this.signal);
    return rows.map((row) => row.entity);
  }

  /** The next epoch: these bindings of a candidate, with this scope. */
  async mark(candidate: string, scope: readonly string[], removed: readonly string[] = []): Promise<void> {
    const at = epoch(this.control.head);
    const rows = await this.bindings.listBindings(model, candidateId(candidate), this.signal);
    const entry: LedgerEntry = {
      model,
      epoch: at,
      candidate: candidateId(candidate),
      scope: scope as EntityIdentity[],
      bindings: [
        ...rows.map(({ entity, hash }) => ({
          entity,
          candidate: candidateId(candidate),
          hash,
          removed: false as const,
        })),
        ...removed.map((entity) => ({ entity: entity as EntityIdentity, removed: true as const })),
      ],
      committedAtMs: 0,
    };
    await this.lanes.appendLedger(entry, this.signal);
    this.wake.notify(wakeTopics.ledger(model));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.stack[Symbol.asyncDispose]();
  }
}

/** Fails once at `name`, as a crash at that place does; the session then begins anew from the journal. */
export function failsOnceAt(name: string): Failpoint & { readonly fired: () => boolean } {
  let fired = false;
  const point: Failpoint = (at) => {
    if (fired || at !== name) return Promise.resolve();
    fired = true;
    return Promise.reject(new FailpointError(`failpoint ${name}`));
  };
  return Object.assign(point, { fired: () => fired });
}
