/**
 * A coordinator as it runs: real stores in a folder, the real registry, both behind sockets; people and
 * conductors call by gRPC, and conductors hear by the control log alone.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { startRegistry } from "@greco/app-registry";
import { CommitService, Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Clock, ControlLog, CpStore, Ids, LaneStore, Log, Wake } from "@greco/ports";
import { createClient, GrecoError, watchProposal, type Client } from "@greco/sdk";
import { systemClock, systemIds, type Failpoint } from "@greco/service-kit";
import { trustingAuthority } from "@greco/service-kit/testing";
import type { CoordinatorLimits } from "../limits.ts";
import { startCoordinator, type RunningCoordinator } from "../start-coordinator.ts";
import { ScriptedConductor, type Script } from "./conductor.ts";

export const signal: AbortSignal = new AbortController().signal;
export const options = { signal };

export const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silent,
};

/** Quick enough for a test, slow enough for a busy machine. */
export const QUICK: Partial<CoordinatorLimits> = {
  pulseMs: 10,
  remindMinMs: 150,
  remindMaxMs: 400,
  flushMs: 20,
  driverLeaseMs: 800,
  againMinMs: 100,
  againMaxMs: 500,
  intervalMs: 1_000,
};

export type WorldOptions = {
  /** False: the test runs coordinators of its own. Default: one runs. */
  readonly coordinator?: boolean;
  /** Instead of the embedded CP store. */
  readonly openStore?: () => Promise<CpStore>;
  readonly limits?: Partial<CoordinatorLimits>;
  readonly failpoint?: Failpoint;
  /** Around what the coordinator, and it alone, uses. */
  readonly wrap?: {
    readonly store?: (store: CpStore) => CpStore;
    readonly controlLog?: (log: ControlLog) => ControlLog;
    readonly laneStore?: (store: LaneStore) => LaneStore;
    readonly registry?: (client: Client<typeof RegistryService>) => Client<typeof RegistryService>;
  };
};

export type People = {
  readonly registry: Client<typeof RegistryService>;
  readonly commit: Client<typeof CommitService>;
  readonly conductors: Client<typeof ConductorService>;
};

export class World implements AsyncDisposable {
  readonly store: CpStore;
  readonly controlLog: ControlLog;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock = systemClock;
  readonly ids: Ids = systemIds;
  readonly dir: string;
  readonly registryAddress: string;
  readonly #stack: AsyncDisposableStack;
  readonly #options: WorldOptions;
  #coordinator: RunningCoordinator | undefined;

  private constructor(
    parts: Pick<World, "store" | "controlLog" | "laneStore" | "wake" | "dir" | "registryAddress">,
    stack: AsyncDisposableStack,
    test: WorldOptions,
  ) {
    this.store = parts.store;
    this.controlLog = parts.controlLog;
    this.laneStore = parts.laneStore;
    this.wake = parts.wake;
    this.dir = parts.dir;
    this.registryAddress = parts.registryAddress;
    this.#stack = stack;
    this.#options = test;
  }

  static async open(test: WorldOptions = {}): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), "greco-coordinator-"));
    stack.defer(() => rm(dir, { recursive: true, force: true }));
    const at = (name: string) => ({ path: join(dir, `${name}.sqlite`), clock: systemClock });
    const openStore = test.openStore ?? (() => openEmbeddedCpStore(at("control"), signal));
    const store = stack.use(await openStore());
    const controlLog = stack.use(await openEmbeddedControlLog(at("control-log")));
    const laneStore = stack.use(await openEmbeddedLaneStore(at("lanes")));
    const wake = stack.use(createEmbeddedWake());
    const basics = { clock: systemClock, ids: systemIds, log: silent, authority: trustingAuthority() };
    const registry = stack.use(
      await startRegistry({ ...basics, store }, { listen: { host: "127.0.0.1", port: 0 } }, signal),
    );
    const parts = { store, controlLog, laneStore, wake, dir, registryAddress: registry.address };
    const world = new World(parts, stack.move(), test);
    if (test.coordinator !== false) await world.startCoordinator();
    return world;
  }

  get coordinator(): RunningCoordinator {
    if (this.#coordinator === undefined) throw new Error("no coordinator runs");
    return this.#coordinator;
  }

  async startCoordinator(test: WorldOptions = this.#options): Promise<RunningCoordinator> {
    this.#coordinator = await this.replica(test);
    return this.#coordinator;
  }

  /** One more on the same stores; the caller's to stop, or the world's. */
  async replica(test: WorldOptions = this.#options): Promise<RunningCoordinator> {
    const { wrap = {} } = test;
    const client = this.client(RegistryService, this.registryAddress, "control:coordinator");
    const coordinator = await startCoordinator(
      {
        store: wrap.store?.(this.store) ?? this.store,
        controlLog: wrap.controlLog?.(this.controlLog) ?? this.controlLog,
        laneStore: wrap.laneStore?.(this.laneStore) ?? this.laneStore,
        registry: wrap.registry?.(client) ?? client,
        wake: this.wake,
        clock: this.clock,
        ids: this.ids,
        log: testLog,
        authority: trustingAuthority(),
      },
      {
        listen: { host: "127.0.0.1", port: 0 },
        limits: { ...QUICK, ...test.limits },
        ...(test.failpoint === undefined ? {} : { failpoint: test.failpoint }),
      },
      signal,
    );
    return this.#stack.use(coordinator);
  }

  async stopCoordinator(): Promise<void> {
    await this.#coordinator?.[Symbol.asyncDispose]();
    this.#coordinator = undefined;
  }

  client<S extends Parameters<typeof createClient>[0]>(
    service: S,
    address: string,
    token: string,
  ): Client<S> {
    return this.#stack.use(createClient(service, { address, token, deadlineMs: 20_000 }));
  }

  /** Where people and conductors look for a coordinator. */
  address: string | undefined;

  as(token: string): People {
    const address = this.address ?? this.coordinator.address;
    return {
      registry: this.client(RegistryService, this.registryAddress, token),
      commit: this.client(CommitService, address, token),
      conductors: this.client(ConductorService, address, token),
    };
  }

  /** Registered, and listening. */
  async conductor(name: string, script: Script = {}, model = "m"): Promise<ScriptedConductor> {
    const { conductors } = this.as(`conductor:${name}`);
    const conductor = new ScriptedConductor({
      name,
      model,
      script,
      client: conductors,
      log: this.controlLog,
    });
    this.#stack.use(conductor);
    await conductor.register();
    return conductor;
  }

  async model(name = "m"): Promise<void> {
    await this.as("ada").registry.createModel({ modelId: name, model: {} }, options);
  }

  /** A draft that makes a stream of its own; its name and etag. */
  async draft(id: string, model = "m"): Promise<{ draft: string; etag: string }> {
    const { registry } = this.as("ed");
    const made = await registry.createDraft({ parent: `models/${model}`, draftId: id, draft: {} }, options);
    const entity = `models/${model}/entities/stream/${id}`;
    const change = {
      entity,
      action: { case: "putSpecJson", value: '{"schema":{"type":"object"}}' },
    } as const;
    const edited = await registry.editDraft({ name: made.name, etag: made.etag, changes: [change] }, options);
    return { draft: made.name, etag: edited.draft?.etag ?? "" };
  }

  async makeItSo(
    id: string,
    more: { confirmWithin?: { seconds: bigint }; model?: string } = {},
  ): Promise<Proposal> {
    const { model = "m", ...rest } = more;
    const { draft, etag } = await this.draft(id, model);
    return await this.as("rhea").commit.makeItSo({ draft, etag, reason: "test", ...rest }, options);
  }

  /** The proposal once `when` holds. */
  async until(name: string, when: (proposal: Proposal) => boolean, timeoutMs = 15_000): Promise<Proposal> {
    const ending = AbortSignal.timeout(timeoutMs);
    let last: Proposal | undefined;
    try {
      for await (const proposal of watchProposal(this.as("vera").commit, name, { signal: ending })) {
        last = proposal;
        if (when(proposal)) return proposal;
      }
    } catch (error) {
      if (!ending.aborted) throw error;
    }
    throw new Error(`${name} never got there; it stands at ${JSON.stringify(last, bigints)}`);
  }

  settled(name: string): Promise<Proposal> {
    return this.until(name, (proposal) => proposal.phase === Phase.SETTLED);
  }

  async head(model = "m"): Promise<number> {
    const { headVersion } = await this.as("vera").registry.getModel({ name: `models/${model}` }, options);
    return Number(headVersion);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const shown = (event: string, fields?: object): void =>
  console.error(Math.round(systemClock.monotonicMs()), event, fields);
const aloud: Log = { debug() {}, info: shown, warn: shown, error: shown, child: () => aloud };

/** GRECO_TEST_LOG=1 shows what the coordinator logs. */
export const testLog: Log = process.env["GRECO_TEST_LOG"] === undefined ? silent : aloud;

const bigints = (_: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

/** The error that a call ends with. */
export async function errorOf(call: Promise<unknown>): Promise<GrecoError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof GrecoError) return error;
    throw error;
  }
  throw new Error("the call did not fail");
}

/** Looks again until it holds. */
export async function eventually<T>(
  look: () => Promise<T> | T,
  when: (value: T) => boolean,
  timeoutMs = 10_000,
): Promise<T> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  for (;;) {
    const value = await look();
    if (when(value)) return value;
    if (systemClock.monotonicMs() > endMs)
      throw new Error(`never got there: ${JSON.stringify(value, bigints)}`);
    await systemClock.sleep(10, signal);
  }
}
