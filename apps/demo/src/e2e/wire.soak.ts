/**
 * B-wire: whom an ingress and a runtime talk to, while flights flow, epochs are switched, and both start again: by
 * their TCP connections, whatever they say of themselves, and by what is said at the control plane's door.
 */
import { openCassandraBindingStore } from "@greco/adapter-cassandra";
import { candidateId, modelId, type EntityIdentity } from "@greco/domain/model";
import { type Call, type Door, openDoor } from "@greco/dev/testing";
import { createLog, systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isRight } from "./apart.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { ConnectionWatch } from "./connections.ts";
import { goesOn } from "./processing.ts";

const OPEN_MS = 400_000;
const TEST_MS = 300_000;
const FLIGHTS = 100;
/** The shorter, the sooner are the lanes of the killed taken over; long enough for two busy cores. */
const LEASE_MS = 3_000;
const RATE = 100;
const COLD_BOOT = "/greco.conductor.v1.ColdBootService/RequestBindings";

const calls: Call[] = [];
const stack = new AsyncDisposableStack();
let watch: ConnectionWatch;
let doors: { readonly registry: Door; readonly coordinator: Door };
let cluster: Cluster;

/** Seen from its first breath on. */
async function start(name: string, signal: AbortSignal): Promise<void> {
  const app = cluster.app(name);
  const serving = app.start(signal);
  watch.watch(name, app.pid ?? 0);
  await serving;
}

async function restart(name: string, signal: AbortSignal): Promise<void> {
  await cluster.app(name).kill("SIGKILL");
  await start(name, signal);
}

beforeAll(async () => {
  const signal = AbortSignal.timeout(OPEN_MS);
  watch = stack.use(new ConnectionWatch());
  doors = {
    registry: stack.use(await openDoor("registry", calls)),
    coordinator: stack.use(await openDoor("coordinator", calls)),
  };
  cluster = stack.use(
    await openCluster(
      {
        nodes: { etcd: 1, nats: 1, cassandra: 1 },
        ...{ leaseMs: LEASE_MS, rate: RATE },
        startsNothing: true,
        // Whoever is told of the control plane is told of its doors.
        flags: (_seat, standard) => ({
          ...standard,
          ...("registry" in standard ? { registry: doors.registry.address } : {}),
          ...("coordinator" in standard ? { coordinator: doors.coordinator.address } : {}),
        }),
      },
      signal,
    ),
  );
  doors.registry.target = cluster.app("registry-1").address;
  doors.coordinator.target = cluster.app("coordinator-1").address;
  await Promise.all(cluster.apps.map(({ name }) => start(name, signal)));
}, OPEN_MS);
afterAll(() => stack.disposeAsync());

const by = (caller: string): readonly string[] => [
  ...new Set(calls.filter((call) => call.caller === caller).map(({ door, path }) => `${door}${path}`)),
];

/** The data plane loses what the query is, of which no other version has a copy; its conductor makes it again. */
async function loseQuery(candidate: string, signal: AbortSignal): Promise<void> {
  await using bindings = await openCassandraBindingStore(
    {
      contactPoints: cluster.engines.cassandra.addresses,
      ...{ localDataCenter: "dc1", keyspace: "greco", replication: { dc1: 1 } },
      clock: systemClock,
      log: createLog({ service: "test", level: "error" }),
    },
    signal,
  );
  const query = "query/compensation@1" as EntityIdentity;
  const model = modelId(cluster.job.parent.replace("models/", ""));
  await bindings.deleteBinding(model, query, candidateId(candidate), signal);
}

it(
  "I10: ingress and runtime talk to Cassandra and NATS, and to the control plane with a cold-boot request alone",
  async () => {
    const signal = AbortSignal.timeout(TEST_MS);
    await cluster.job.begin(signal);
    await goesOn(cluster, FLIGHTS, signal);
    await restart("runtime-1", signal);
    await restart("ingress-1", signal);
    await goesOn(cluster, FLIGHTS, signal);
    const { proposal } = await cluster.job.change(signal);
    await goesOn(cluster, FLIGHTS, signal);
    // Neither what flows, nor a switch, nor a start needs a word with the control plane.
    expect(by("runtime")).toEqual([]);

    // Where the data plane lacks something, the runtime asks for that, and for nothing else.
    await cluster.app("runtime-1").kill("SIGKILL");
    await loseQuery(proposal.candidate, signal);
    await start("runtime-1", signal);
    await goesOn(cluster, FLIGHTS, signal);
    expect(by("runtime")).toEqual([`coordinator${COLD_BOOT}`]);
    await isRight(cluster, signal);

    const { etcd, nats, cassandra } = cluster.engines;
    const data = [...cassandra.addresses, ...nats.addresses];
    const { registry, coordinator } = doors;
    expect(watch.called("ingress-1")).toEqual(data.toSorted());
    expect(watch.called("runtime-1")).toEqual([...data, coordinator.address].toSorted());

    // The same look, and the same doors, at those who do talk to the control plane.
    expect(watch.called("registry-1")).toEqual(etcd.addresses.toSorted());
    expect(watch.called("coordinator-1")).toEqual([...data, ...etcd.addresses, registry.address].toSorted());
    expect(watch.called("conductor-worker-1")).toEqual(
      [...data, registry.address, coordinator.address].toSorted(),
    );
    expect(by("conductor-worker")).toContain("coordinator/greco.conductor.v1.ConductorService/AnswerCommand");
    expect(new Set(calls.map(({ caller }) => caller))).not.toContain("ingress");
  },
  TEST_MS,
);
