/**
 * Greco as it is deployed, on the embedded stores in one folder: ingress and runtime are processes of their own, started
 * by their own programs; registry, coordinator and conductors run here, behind doors that record who calls what.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startConductorStreams } from "@greco/app-conductor-streams";
import { startConductorTables } from "@greco/app-conductor-tables";
import { startConductorWorker } from "@greco/app-conductor-worker";
import { startCoordinator } from "@greco/app-coordinator";
import { startRegistry } from "@greco/app-registry";
import { temporaryFolder } from "@greco/conductor-kit/testing";
import { CommitService, Phase } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { candidateId, modelId, type CandidateId } from "@greco/domain/model";
import { createClient, type Client } from "@greco/sdk";
import { createLog, systemClock, systemIds, type LogLevel } from "@greco/service-kit";
import { expect, vi } from "vitest";
import { createIdentities, type Identities } from "../identities.ts";
import { openStores, type Stores } from "../stores.ts";
import { makeItSo } from "./make-it-so.ts";
import { openDoor, type Call, type Door } from "./recording-door.ts";

export const model = modelId("m");
export const signal: AbortSignal = new AbortController().signal;

/** Waits for a level; a busy machine takes its time to start a process. */
export const until = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: 60_000, interval: 50 });

/** Shorter ones lapse by themselves on a busy machine. */
const LEASE_MS = 2_000;
const CONDUCTORS = {
  "conductor-streams": startConductorStreams,
  "conductor-tables": startConductorTables,
  "conductor-worker": startConductorWorker,
} as const;

const level = (process.env["LOG"] ?? "silent") as LogLevel;
const basics = { clock: systemClock, ids: systemIds, log: createLog({ service: "test", level }) };

export class WorldApart implements AsyncDisposable {
  /** In their order. */
  readonly calls: Call[];
  readonly stores: Stores;
  readonly #folder: string;
  readonly #identities: Identities;
  readonly #doors: { readonly registry: Door; readonly coordinator: Door };
  readonly #stack: AsyncDisposableStack;
  readonly #admin: {
    readonly registry: Client<typeof RegistryService>;
    readonly commit: Client<typeof CommitService>;
  };
  #control: AsyncDisposableStack | undefined;
  #ingress: Client<typeof IngressService> | undefined;
  #drafts = 0;
  #version = 0n;

  private constructor(
    parts: { folder: string; stores: Stores; identities: Identities },
    calls: Call[],
    doors: { registry: Door; coordinator: Door },
    stack: AsyncDisposableStack,
  ) {
    this.#folder = parts.folder;
    this.stores = parts.stores;
    this.#identities = parts.identities;
    this.calls = calls;
    this.#doors = doors;
    this.#stack = stack;
    const { admin } = this.#identities.people;
    this.#admin = {
      registry: this.#client(RegistryService, doors.registry.address, admin),
      commit: this.#client(CommitService, doors.coordinator.address, admin),
    };
  }

  static async open(): Promise<WorldApart> {
    const stack = new AsyncDisposableStack();
    try {
      return await WorldApart.#open(stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  static async #open(stack: AsyncDisposableStack): Promise<WorldApart> {
    const folder = stack.use(temporaryFolder("apart")).path;
    const stores = await openStores(folder, systemClock, stack, signal);
    const identities = await createIdentities(folder, stores.cp, systemClock, basics.log);
    const calls: Call[] = [];
    const doors = {
      registry: stack.use(await openDoor("registry", calls)),
      coordinator: stack.use(await openDoor("coordinator", calls)),
    };
    const world = new WorldApart({ folder, stores, identities }, calls, doors, stack);
    stack.defer(() => world.stopControlPlane());
    await world.startControlPlane();
    await world.#startConductors();
    await world.#admin.registry.createModel({ modelId: model }, { signal });
    await world.#conductorsAreThere();
    world.#ingress = await world.#startIngress();
    return world;
  }

  #client<S extends Parameters<typeof createClient>[0]>(
    service: S,
    address: string,
    token: string,
  ): Client<S> {
    return this.#stack.use(createClient(service, { address, token, deadlineMs: 10_000 }));
  }

  async startControlPlane(): Promise<void> {
    await using starting = new AsyncDisposableStack();
    const listen = { host: "127.0.0.1", port: 0 };
    const { authority, control } = this.#identities;
    const { cp: store, controlLog, lanes: laneStore, wake } = this.stores;
    const registry = starting.use(await startRegistry({ ...basics, store, authority }, { listen }, signal));
    this.#doors.registry.target = registry.address;
    const coordinator = starting.use(
      await startCoordinator(
        {
          ...{ ...basics, store, controlLog, laneStore, wake, authority },
          registry: starting.use(
            createClient(RegistryService, { address: this.#doors.registry.address, token: control }),
          ),
        },
        { listen, limits: { driverLeaseMs: LEASE_MS, repairEveryMs: 500 } },
        signal,
      ),
    );
    this.#doors.coordinator.target = coordinator.address;
    this.#control = starting.move();
  }

  /** Registry and coordinator go, and nobody answers at their doors. */
  async stopControlPlane(): Promise<void> {
    this.#doors.registry.target = undefined;
    this.#doors.coordinator.target = undefined;
    await this.#control?.disposeAsync();
    this.#control = undefined;
  }

  async #startConductors(): Promise<void> {
    const { controlLog, lanes: laneStore, bindings: bindingStore, wake } = this.stores;
    for (const [name, start] of Object.entries(CONDUCTORS)) {
      const token = await this.#identities.conductor(name);
      const dependencies = {
        ...{ ...basics, controlLog, laneStore, bindingStore, wake },
        coordinator: this.#client(ConductorService, this.#doors.coordinator.address, token),
        registry: this.#client(RegistryService, this.#doors.registry.address, token),
      };
      const limits = { leaseMs: LEASE_MS, quietMs: 2 * LEASE_MS, writerLeaseMs: LEASE_MS, backoffMaxMs: 500 };
      this.#stack.use(await start(dependencies, { limits }, signal));
    }
  }

  async #conductorsAreThere(): Promise<void> {
    const { admin } = this.#identities.people;
    const service = this.#client(ConductorService, this.#doors.coordinator.address, admin);
    await until(async () => {
      const { conductors } = await service.listConductors({ model: `models/${model}` }, { signal });
      expect(conductors).toHaveLength(Object.keys(CONDUCTORS).length);
    });
  }

  /** A program of an app, with what it says until it serves. */
  async #spawn(
    app: string,
    flags: readonly string[],
  ): Promise<{ readonly child: ChildProcess; readonly address: string }> {
    const main = join(import.meta.dirname, "../../..", app, "src/main.ts");
    const own = ["--data", this.#folder, "--lease-ms", `${LEASE_MS}`, "--listen", "127.0.0.1:0"];
    const child = spawn(process.execPath, [main, ...own, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
    const died = once(child, "exit");
    this.#stack.defer(async () => {
      child.kill("SIGKILL");
      await died;
    });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      if (level !== "silent") process.stderr.write(chunk);
      said += String(chunk);
    });
    const address = await until(() => {
      if (child.exitCode !== null) throw new Error(`${app} did not start:\n${said}`);
      const [, serving] = /"address":"([^"]+)"/.exec(said) ?? [];
      if (serving === undefined) throw new Error(`${app} does not serve yet:\n${said}`);
      return serving;
    });
    return { child, address };
  }

  async #startIngress(): Promise<Client<typeof IngressService>> {
    const keys = ["--keys", join(this.#folder, "keys/keys.json"), "--connect", "127.0.0.1:0"];
    const { address } = await this.#spawn("ingress", keys);
    return this.#client(IngressService, address, this.#identities.people.admin);
  }

  get ingress(): Client<typeof IngressService> {
    if (this.#ingress === undefined) throw new Error("there is no ingress");
    return this.#ingress;
  }

  /** Knows the coordinator's door, and its own token. Returns how it is killed. */
  async startRuntime(name: string): Promise<() => Promise<void>> {
    const token = join(this.#folder, "runtime.token");
    await writeFile(token, this.#identities.runtime, { mode: 0o600 });
    const { child } = await this.#spawn("runtime", [
      ...["--name", name, "--threads", "1"],
      ...["--coordinator", this.#doors.coordinator.address, "--token-file", token],
    ]);
    return async () => {
      const died = once(child, "exit");
      child.kill("SIGKILL");
      await died;
    };
  }

  /** Drafts it, makes it so, and waits until it is settled. */
  async commit(specs: Readonly<Record<string, unknown>>): Promise<CandidateId> {
    const { registry, commit } = this.#admin;
    const parent = `models/${model}`;
    const draftId = `d${(this.#drafts += 1)}`;
    const name = await makeItSo({ registry, commit }, parent, draftId, specs, signal);
    return await until(async () => {
      const proposal = await commit.getProposal({ name }, { signal });
      expect(proposal.phase).toBe(Phase.SETTLED);
      expect(proposal.committed, proposal.message).toBe(true);
      this.#version = proposal.version;
      return candidateId(proposal.candidate);
    });
  }

  /** Under the newest version that was made so here, or a later one. */
  async publish(...all: readonly number[]): Promise<void> {
    const stream = `models/${model}/streams/flights`;
    const atLeastEpoch = this.#version;
    for (const n of all) {
      const payload = new TextEncoder().encode(JSON.stringify({ n }));
      // A new stream is found in the ledger a moment later; what is refused has no effect.
      await until(() => this.ingress.publish({ stream, message: { payload }, atLeastEpoch }, { signal }));
    }
  }

  /** What stands in `paid`, in no order. */
  async paid(): Promise<readonly { readonly n: number; readonly factor: number }[]> {
    const request = {
      stream: `models/${model}/streams/paid`,
      start: { case: "beginning", value: true } as const,
      bounded: true,
    };
    const payloads: Uint8Array[] = [];
    for await (const { entries } of this.ingress.subscribe(request, { signal }))
      for (const entry of entries) if (entry.payload.length > 0) payloads.push(entry.payload);
    return payloads.map((payload) => JSON.parse(new TextDecoder().decode(payload)) as never);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const numbers = (...names: readonly string[]) => ({
  schema: {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, { type: "integer" }])),
  },
  lanes: 2,
});

/** Flights are paid by a factor, which tells the epochs apart. */
export const query = (factor: number) => ({
  from: "flights",
  to: "paid",
  select: { n: "event.n", factor: `${factor}` },
});
export const streams = { "stream/flights": numbers("n"), "stream/paid": numbers("n", "factor") } as const;
/** The same, looked up. */
export const byBand = {
  from: "flights",
  to: "paid",
  tables: ["bands"],
  select: { n: "event.n", factor: 'tables.bands["far"].factor' },
};
export const bands = (factor: number) => ({
  key: "band",
  schema: {
    type: "object",
    required: ["band", "factor"],
    properties: { band: { type: "string" }, factor: { type: "integer" } },
  },
  rows: [{ band: "far", factor }],
});
