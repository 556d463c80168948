// The data plane's engines for benchmarks: one Cassandra node and one NATS server, stores on them in a keyspace of their
// own, the driver that the adapter itself uses, and a hand that commits epochs.
import type { Client } from "cassandra-driver";
import { openCassandraBindingStore, openCassandraLaneStore } from "@greco/adapter-cassandra";
import { openNatsWake, type NatsOptions } from "@greco/adapter-nats";
import type { ChangedBinding } from "@greco/domain/epoch";
import { candidateId, epoch, hashOf, modelId, type EntityIdentity } from "@greco/domain/model";
import { wakeTopics, type BindingStore, type LaneStore, type Wake } from "@greco/ports";
import { createLog, systemClock as clock, systemIds } from "@greco/service-kit";
import { clientOf, hostsOf } from "../../libs/adapters/cassandra/src/session.ts";
import { testKeyspace } from "../../libs/adapters/cassandra/src/testing/setup.ts";
import { servers } from "../servers/for-tests.ts";

export const MODEL = modelId("bench");
export const log = createLog({ service: "bench", level: "error" });

export type DataPlane = AsyncDisposable & {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  /** For further wakes. */
  readonly natsOptions: NatsOptions;
  /** The adapter's driver with the adapter's options, on the keyspace. */
  readonly raw: Client;
  /** For processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Bindings, then the ledger, then the hint, as a coordinator does. Returns the epoch. */
  commit(
    contents: readonly (readonly [EntityIdentity, object])[],
    scope: readonly EntityIdentity[],
  ): Promise<number>;
};

export async function openDataPlane(signal: AbortSignal): Promise<DataPlane> {
  await using stack = new AsyncDisposableStack();
  const cassandra = stack.use(await servers.cassandra({ forMeasuring: true }, signal));
  const nats = stack.use(await servers.nats({}, signal));
  const keyspace = await testKeyspace(cassandra.addresses, 1);
  // A server that was started for this ends with all that is in it.
  if (process.env["GRECO_CASSANDRA"] !== undefined) stack.use(keyspace);
  const streamPrefix = `b${systemIds.next().replaceAll("-", "").slice(-20)}`;
  const laneStore = stack.use(await openCassandraLaneStore(keyspace, signal));
  const bindingStore = stack.use(await openCassandraBindingStore(keyspace, signal));
  const natsOptions = { servers: nats.addresses, clock, log, streamPrefix };
  const wake = stack.use(await openNatsWake(natsOptions, signal));
  const { localDataCenter, contactPoints, keyspace: name } = keyspace;
  const raw = clientOf(keyspace, localDataCenter, hostsOf(contactPoints), name);
  stack.defer(() => raw.shutdown());
  await raw.connect();
  let newest = 0;
  const commit: DataPlane["commit"] = async (contents, scope) => {
    newest += 1;
    const candidate = candidateId(`c${newest}`);
    const bindings = contents.map(([entity, value]) => {
      const content = JSON.stringify(value);
      return { model: MODEL, entity, candidate, hash: hashOf(content), content };
    });
    await bindingStore.putBindings(bindings, signal);
    const changed = bindings.map(({ entity, hash }): ChangedBinding => ({
      entity,
      candidate,
      hash,
      removed: false,
    }));
    const entry = { model: MODEL, epoch: epoch(newest), candidate, scope, bindings: changed };
    await laneStore.appendLedger({ ...entry, committedAtMs: clock.nowMs() }, signal);
    wake.notify(wakeTopics.ledger(MODEL));
    return newest;
  };
  const owned = stack.move();
  return {
    laneStore,
    bindingStore,
    wake,
    natsOptions,
    raw,
    env: {
      GRECO_ENGINES: "real",
      GRECO_NATS: nats.addresses.join(","),
      GRECO_NATS_PREFIX: streamPrefix,
      GRECO_CASSANDRA: contactPoints.join(","),
      GRECO_CASSANDRA_DATA_CENTER: localDataCenter,
      GRECO_KEYSPACE: name,
    },
    commit,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
