// A commit on real engines, with three trivial conductors on the conductor kit: what it makes durable is noted, and made
// again by the same clients, step by step, one behind the other.
import { openCassandraBindingStore, openCassandraLaneStore } from "@greco/adapter-cassandra";
import { openEtcdCpStore } from "@greco/adapter-etcd";
import { openJetStreamControlLog, openNatsWake } from "@greco/adapter-nats";
import { startConductor, type Conductor } from "@greco/conductor-kit";
import { Conductor_State, ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { candidateId, conductorId, modelId } from "@greco/domain/model";
import type { BindingStore, ConductorLease, ControlLog, CpStore } from "@greco/ports";
import { createLog, systemClock as clock, systemIds as ids } from "@greco/service-kit";
import { testKeyspace } from "../../libs/adapters/cassandra/src/testing/setup.ts";
import { servers } from "../servers/for-tests.ts";
import { openGreco, type Around, type CommitStores, type Durable, type GrecoSide } from "./commit-rig.ts";
import { shaped } from "./commit-skeleton.ts";

const RAW = modelId("raw");
const log = createLog({ service: "bench", level: "error" });

/** Of each kind one: the first claims the stream that changes and binds it, the others have nothing to do. */
const KINDS = ["stream", "table", "query"] as const;

function trivial(kind: string): Conductor {
  return {
    name: `trivial-${kind}`,
    kinds: [kind],
    review: ({ affected }) =>
      Promise.resolve({
        vote: "accept",
        claims: affected.map(({ key }) => key),
        plan: { steps: [], prepareTimeMs: 0, cost: "" },
      }),
    prepare: ({ claimed }) =>
      Promise.resolve(
        claimed.map(({ identity, after }) => ({ entity: identity, content: after?.specJson ?? "{}" })),
      ),
    release: () => Promise.resolve(),
    undo: () => Promise.resolve(),
    retire: () => Promise.resolve(),
  };
}

function noting(store: BindingStore, note: Around["note"]): BindingStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        const answer: unknown = await (value as (...all: unknown[]) => Promise<unknown>).apply(target, args);
        if (name === "appendJournal") {
          const [, , , records] = args as Parameters<BindingStore["appendJournal"]>;
          note({ type: "journal", records });
        } else if (name === "putBindings")
          note({ type: "bindings", bindings: (args as Parameters<BindingStore["putBindings"]>)[0] });
        return answer;
      };
    },
  });
}

export type CommitOnEngines = GrecoSide & {
  /** Makes these durable once more, under keys of their own, one behind the other; milliseconds of each. */
  again(durable: readonly Durable[]): Promise<readonly number[]>;
};

export async function openCommitOnEngines(signal: AbortSignal): Promise<CommitOnEngines> {
  await using stack = new AsyncDisposableStack();
  const etcd = stack.use(await servers.etcd({}, signal));
  const nats = stack.use(await servers.nats({}, signal));
  const cassandra = stack.use(await servers.cassandra({ forMeasuring: true }, signal));
  const keyspace = await testKeyspace(cassandra.addresses, 1);
  if (process.env["GRECO_CASSANDRA"] !== undefined) stack.use(keyspace);
  const space = ids.next();
  const streamPrefix = `b${space.replaceAll("-", "").slice(-20)}`;
  const natsOptions = { servers: nats.addresses, clock, log, streamPrefix };
  const etcdOptions = { hosts: etcd.addresses, prefix: `bench/${space}/`, clock, log };
  const store = stack.use(await openEtcdCpStore(etcdOptions, signal));
  const controlLog = stack.use(await openJetStreamControlLog(natsOptions, signal));
  const bindingStore = stack.use(await openCassandraBindingStore(keyspace, signal));
  const stores: CommitStores = {
    store,
    controlLog,
    laneStore: stack.use(await openCassandraLaneStore(keyspace, signal)),
    wake: stack.use(await openNatsWake(natsOptions, signal)),
  };
  const greco = stack.use(
    await openGreco(signal, {
      openStores: () => Promise.resolve(stores),
      startConductors: (around, each) => startTrivial(around, each, noting(bindingStore, around.note)),
    }),
  );
  // Beside the store whose keys somebody watches.
  const aside = { ...etcdOptions, prefix: `raw/${space}/` };
  const rawStore = stack.use(await openEtcdCpStore(aside, signal));
  const raw = await RawSteps.open({ store: rawStore, controlLog, bindingStore }, signal);
  const owned = stack.move();
  return {
    commit: () => greco.commit(),
    durable: () => greco.durable(),
    again: (durable) => raw.run(durable),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startTrivial(
  { client, stores, signal }: Around,
  stack: AsyncDisposableStack,
  bindingStore: BindingStore,
): Promise<void> {
  for (const kind of KINDS) {
    const token = `conductor:trivial-${kind}`;
    const coordinator = client(ConductorService, "coordinator", token);
    const registry = client(RegistryService, "registry", token);
    const dependencies = { ...stores, bindingStore, coordinator, registry, clock, ids, log };
    stack.use(await startConductor(trivial(kind), dependencies, {}, signal));
  }
  const asked = client(ConductorService, "coordinator", "person");
  for (;;) {
    const { conductors } = await asked.listConductors({ model: "models/m" }, { signal });
    const active = conductors.filter(({ state }) => state === Conductor_State.ACTIVE);
    if (active.length === KINDS.length) return;
    await clock.sleep(50, signal);
  }
}

type RawStores = {
  readonly store: CpStore;
  readonly controlLog: ControlLog;
  readonly bindingStore: BindingStore;
};

class RawSteps {
  readonly #stores: RawStores;
  readonly #signal: AbortSignal;
  readonly #conductor = conductorId("raw");
  readonly #lease: ConductorLease;
  #sequence = 0;
  #round = 0;

  private constructor(stores: RawStores, lease: ConductorLease, signal: AbortSignal) {
    this.#stores = stores;
    this.#lease = lease;
    this.#signal = signal;
  }

  static async open(stores: RawStores, signal: AbortSignal): Promise<RawSteps> {
    const lease = await stores.bindingStore.takeConductor(RAW, conductorId("raw"), signal);
    return new RawSteps(stores, lease, signal);
  }

  async run(durable: readonly Durable[]): Promise<readonly number[]> {
    this.#round += 1;
    const took: number[] = [];
    for (const [index, each] of durable.entries()) {
      const began = performance.now();
      await this.#step(each, index);
      took.push(performance.now() - began);
    }
    return took;
  }

  async #step(each: Durable, index: number): Promise<void> {
    const { store, controlLog, bindingStore } = this.#stores;
    switch (each.type) {
      case "transaction":
        await store.transact(shaped(each.transaction, this.#round), this.#signal);
        return;
      case "publish":
        await controlLog.publish(RAW, `${this.#round}.${index}`, Buffer.alloc(each.bytes, 1), this.#signal);
        return;
      case "journal": {
        const records = each.records.map(({ json }) => ({ sequence: (this.#sequence += 1), json }));
        const { incarnation } = this.#lease;
        await bindingStore.appendJournal(RAW, this.#conductor, incarnation, records, this.#signal);
        return;
      }
      case "bindings": {
        const candidate = candidateId(`c${this.#round}`);
        const own = each.bindings.map((binding) => ({ ...binding, model: RAW, candidate }));
        await bindingStore.putBindings(own, this.#signal);
        return;
      }
    }
  }
}
