/**
 * B-site, inside a network namespace of its own (sites.soak.ts starts it there): two data centres of Cassandra with one
 * node each, and at each site an ingress, a runtime and a NATS server. The sites are cut from each other, an epoch is
 * committed meanwhile, and they are healed. Prints what was seen as one line of JSON, for the test to judge.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { openCassandraBindingStore, openCassandraLaneStore } from "@greco/adapter-cassandra";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { ChangedBinding, QueryContent, StreamContent } from "@greco/domain/epoch";
import type { Entry, Seq } from "@greco/domain/lane";
import { candidateId, type EntityIdentity, epoch, hashOf, modelId } from "@greco/domain/model";
import type { BindingStore, LaneRecord, LaneStore } from "@greco/ports";
import { type Client, createClient } from "@greco/sdk";
import { createDevKeys, createLog, systemClock as clock } from "@greco/service-kit";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { freePorts } from "../../../../tools/servers/ports.ts";
import { createReaper } from "../../../../tools/servers/reaper.ts";
import { check } from "../checker.ts";
import { appProcess, type AppProcess } from "./app-process.ts";

const MODEL = modelId("sites");
const FLIGHTS = "stream/flights@1" as EntityIdentity;
const PAYOUTS = "stream/payouts@1" as EntityIdentity;
const QUERY = "query/pay@1" as EntityIdentity;
const KEYSPACE = "greco";
const LEASE_MS = 3_000;
/** Much longer than it takes Cassandra to see that the other site is gone, and leases to lapse. */
const CUT_MS = Number(process.env["GRECO_TEST_CUT_MS"] ?? 60_000);
const LOOK_MS = 250;
const PAUSE_MS = 10;
const CALL_MS = 10_000;
const PAGE = 1_000;
/** Processes of a site belong to a group of their own, by which the packet filter knows them. */
const GROUPS = { east: 61_001, west: 61_002 } as const;
type SiteName = keyof typeof GROUPS;
const NAMES: readonly SiteName[] = ["east", "west"];

const signal = AbortSignal.timeout(1_500_000);
const log = createLog({ service: "sites", level: "error" });
const say = (line: string): void => void process.stderr.write(`${line}\n`);

// ---- the model, committed by hand

const schema = { type: "object", properties: { number: { type: "number" } }, required: ["number"] };
const streamContent = (name: string, of: object): StreamContent => ({ name, schema: of, lanes: 2 });
const pay = (times: number): QueryContent => ({
  name: "pay",
  from: "flights",
  to: "payouts",
  tables: [],
  select: { number: "event.number", paid: `event.number * ${times}.0` },
  onError: { retries: 0, then: "dead-letter" },
  timeoutMs: 10_000,
  schemas: { from: schema, tables: {} },
});
const TIMES = [2, 3] as const;

async function commit(
  site: { readonly lanes: LaneStore; readonly bindings: BindingStore },
  version: number,
  contents: readonly (readonly [EntityIdentity, object])[],
): Promise<void> {
  const candidate = candidateId(`c${version}`);
  const bindings = contents.map(([entity, value]) => {
    const content = JSON.stringify(value);
    return { model: MODEL, entity, candidate, hash: hashOf(content), content };
  });
  await site.bindings.putBindings(bindings, signal);
  const changed = bindings.map(({ entity, hash }): ChangedBinding => ({
    entity,
    candidate,
    hash,
    removed: false,
  }));
  const entry = { model: MODEL, epoch: epoch(version), candidate, scope: [FLIGHTS, PAYOUTS] };
  await site.lanes.appendLedger({ ...entry, bindings: changed, committedAtMs: clock.nowMs() }, signal);
}

// ---- a site

class Site {
  readonly name: SiteName;
  readonly lanes: LaneStore;
  readonly bindings: BindingStore;
  readonly #ingress: Client<typeof IngressService>;
  readonly #stopped = new AbortController();
  #acknowledged = 0;
  #flowing: Promise<void> = Promise.resolve();

  constructor(
    name: SiteName,
    stores: { readonly lanes: LaneStore; readonly bindings: BindingStore },
    ingress: Client<typeof IngressService>,
  ) {
    this.name = name;
    this.lanes = stores.lanes;
    this.bindings = stores.bindings;
    this.#ingress = ingress;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Flight after flight by a producer with an id: what is not acknowledged is sent again under its number. */
  flow(): void {
    this.#flowing = this.#publish();
    this.#flowing.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#flowing;
  }

  async #publish(): Promise<void> {
    let last: { lane: string; seq: bigint } | undefined;
    while (!this.#stopped.signal.aborted) {
      const number = this.#acknowledged + 1;
      const payload = Buffer.from(JSON.stringify({ number }));
      const producer = { id: this.name, ...(last && { lastLane: last.lane, lastSeq: last.seq }) };
      try {
        const { position } = await this.#ingress.publish(
          {
            stream: `models/${MODEL}/streams/flights`,
            message: { payload, key: `k${number % 7}`, producerSeq: BigInt(number) },
            producer,
          },
          { signal },
        );
        last = position ?? last;
        this.#acknowledged = number;
      } catch (error) {
        signal.throwIfAborted();
        say(`${this.name}: ${String(error)}`);
      }
      await clock.sleep(PAUSE_MS, signal);
    }
  }

  async records(of: EntityIdentity): Promise<readonly LaneRecord[]> {
    const all = await this.lanes.listLanes(MODEL, { includeFinished: true }, signal);
    return all.filter(({ info }) => info.stream === of);
  }

  /** All of a lane, as this site sees it. */
  async rows({ info }: LaneRecord): Promise<readonly Entry[]> {
    const rows: Entry[] = [];
    for (;;) {
      const read = await this.lanes.read(MODEL, info.id, (rows.length + 1) as Seq, PAGE, signal);
      const { end } = read.state;
      const counted = read.entries.filter(({ seq }) => end === undefined || seq <= end);
      rows.push(...counted);
      if (counted.length === 0) return rows;
    }
  }

  /** Results of the flights that this site took, as it sees them itself. */
  async results(): Promise<number> {
    let results = 0;
    for (const lane of await this.records(PAYOUTS))
      if (lane.elsewhere !== true)
        results += (await this.rows(lane)).filter(({ kind }) => kind === "data").length;
    return results;
  }

  /** Rows of the other site's lanes that have come here. */
  async heardOfOthers(): Promise<number> {
    let heard = 0;
    for (const lane of await this.records(FLIGHTS))
      if (lane.elsewhere === true) heard += (await this.rows(lane)).length;
    return heard;
  }

  /** Resolves when `more` flights more are acknowledged, and all that were until then have their results. */
  async goesOn(more: number): Promise<void> {
    const wanted = this.#acknowledged + more;
    while (this.#acknowledged < wanted) await clock.sleep(LOOK_MS, signal);
    const taken = this.#acknowledged;
    while ((await this.results()) < taken) await clock.sleep(LOOK_MS, signal);
  }
}

async function openSite(
  name: SiteName,
  cassandra: Cluster,
  keys: Awaited<ReturnType<typeof createDevKeys>>,
  stack: AsyncDisposableStack,
): Promise<Site> {
  const own = cassandra.addresses[NAMES.indexOf(name)] ?? "";
  const nats = stack.use(await servers.nats({ own: true }, signal));
  const reaper = stack.use(createReaper());
  const [ingressPort, connectPort, ingressMetrics, health, runtimeMetrics] = await freePorts(5);
  const at = (port: number | undefined): string => `127.0.0.1:${port}`;
  const options = {
    ...{ contactPoints: [own], localDataCenter: name, keyspace: KEYSPACE, clock, log },
    replication: { east: 1, west: 1 },
  };
  // A child is of the group that this process is of when it is made.
  const inGroup = <T>(work: () => T): T => {
    process.setegid?.(GROUPS[name]);
    try {
      return work();
    } finally {
      process.setegid?.(0);
    }
  };
  const lanes = stack.use(await openCassandraLaneStore(options, signal));
  const bindings = stack.use(await openCassandraBindingStore(options, signal));
  const common = {
    engines: "real",
    nats: nats.addresses.join(","),
    cassandra: own,
    "cassandra-data-center": name,
    replication: "east:1,west:1",
    keyspace: KEYSPACE,
    "lease-ms": String(LEASE_MS),
  };
  const start = async (
    app: "ingress" | "runtime",
    flags: Readonly<Record<string, string>>,
  ): Promise<AppProcess> => {
    const started = stack.use(
      appProcess({
        ...{ name: `${app}-${name}`, app, address: flags["listen"] ?? "", reaper, env: {} },
        metrics: `http://${flags["metrics"]}/metrics`,
        flags: Object.entries({ ...common, ...flags }).map(([flag, value]) => `--${flag}=${value}`),
      }),
    );
    await inGroup(() => started.start(signal));
    return started;
  };
  const listen = at(ingressPort);
  const door = { listen, connect: at(connectPort), metrics: at(ingressMetrics), keys: keys.keysFile };
  await start("ingress", { ...door, name: `ingress-${name}` });
  const runs = { listen: at(health), metrics: at(runtimeMetrics), threads: "1", name: `runtime-${name}` };
  await start("runtime", runs);
  const token = await keys.issue({ subject: name });
  const client = stack.use(createClient(IngressService, { address: listen, token, deadlineMs: CALL_MS }));
  return new Site(name, { lanes, bindings }, client);
}

// ---- the cut

const filter = (...rule: readonly string[]): void => void execFileSync("iptables", rule);

/** Node from node, and each site's processes from the other's node; nothing is refused, all is lost. */
function cut({ addresses, peerPort }: Cluster): void {
  const [east = "", west = ""] = addresses;
  const [eastHost = "", port = ""] = east.split(":");
  const [westHost = ""] = west.split(":");
  const other = { east: westHost, west: eastHost };
  for (const name of NAMES) {
    const group = ["-m", "owner", "--gid-owner", String(GROUPS[name])];
    filter("-A", "OUTPUT", "-p", "tcp", "-d", other[name], "--dport", port, ...group, "-j", "DROP");
  }
  // A site has one node, so what nodes say to each other is said between sites. By the port, because the kernel lets
  // a connection to 127.0.0.1 come from there, whichever node has opened it.
  for (const side of ["--dport", "--sport"])
    filter("-A", "INPUT", "-p", "tcp", side, String(peerPort), "-j", "DROP");
}

function heal(): void {
  filter("-F", "INPUT");
  filter("-F", "OUTPUT");
}

const refused = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => false,
    () => true,
  );

/** Every lane of a stream, row by row, the same at both sites. */
async function sameAtBoth(
  east: Site,
  west: Site,
): Promise<{ readonly lanes: number; readonly rows: number }> {
  for (;;) {
    const seen = { lanes: 0, rows: 0 };
    let same = true;
    for (const stream of [FLIGHTS, PAYOUTS]) {
      const [here, there] = await Promise.all([east.records(stream), west.records(stream)]);
      same &&= isDeepStrictEqual(
        here.map(({ info }) => info.id),
        there.map(({ info }) => info.id),
      );
      for (const [at, lane] of here.entries()) {
        const other = there[at];
        if (!same || other === undefined) break;
        const rows = await east.rows(lane);
        same &&= isDeepStrictEqual(rows, await west.rows(other));
        seen.lanes += 1;
        seen.rows += rows.length;
      }
    }
    if (same) return seen;
    await clock.sleep(LOOK_MS, signal);
  }
}

/** Each acknowledged number of each producer, once. */
async function published(
  reader: Site,
  sites: readonly Site[],
): Promise<{ lost: number; duplicated: number }> {
  const counts = new Map<string, number>();
  for (const lane of await reader.records(FLIGHTS))
    for (const entry of await reader.rows(lane)) {
      if (entry.kind !== "data" || entry.producer === undefined) continue;
      const id = `${entry.producer.id} ${entry.producer.seq}`;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  let lost = 0;
  for (const site of sites)
    for (let number = 1; number <= site.acknowledged; number += 1)
      if (!counts.has(`${site.name} ${number}`)) lost += 1;
  return { lost, duplicated: [...counts.values()].filter((count) => count > 1).length };
}

async function main(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "greco-sites-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const keys = await createDevKeys(join(folder, "keys"), clock);
  const dataCenters = NAMES.map((name) => ({ name, nodes: 1 }));
  const cassandra = stack.use(await servers.cassandra({ own: true, dataCenters }, signal));
  say("Cassandra stands");
  const east = await openSite("east", cassandra, keys, stack);
  const west = await openSite("west", cassandra, keys, stack);
  const sites = [east, west];
  await commit(east, 1, [
    [FLIGHTS, streamContent("flights", schema)],
    [PAYOUTS, streamContent("payouts", { type: "object" })],
    [QUERY, pay(TIMES[0])],
  ]);
  for (const site of sites) site.flow();
  await Promise.all(sites.map((site) => site.goesOn(200)));
  await Promise.all(
    sites.map(async (site) => {
      while ((await site.heardOfOthers()) < 100) await clock.sleep(LOOK_MS, signal);
    }),
  );
  say("both sites work, and hear of each other");

  cut(cassandra);
  const cutAt = clock.monotonicMs();
  // What was on its way.
  await clock.sleep(2_000, signal);
  const heardBefore = await Promise.all(sites.map((site) => site.heardOfOthers()));
  const before = sites.map((site) => site.acknowledged);
  await Promise.all(sites.map((site) => site.goesOn(200)));
  say("cut: both sites go on");
  await commit(east, 2, [[QUERY, pay(TIMES[1])]]);
  while (clock.monotonicMs() - cutAt < CUT_MS) await Promise.all(sites.map((site) => site.goesOn(100)));
  const everySite = { everySite: true };
  const isCut = await Promise.all(
    sites.map(({ lanes }) => refused(lanes.listLanes(MODEL, everySite, signal))),
  );
  const heardAfter = await Promise.all(sites.map((site) => site.heardOfOthers()));
  const during = sites.map((site, at) => site.acknowledged - (before[at] ?? 0));
  const cutMs = Math.round(clock.monotonicMs() - cutAt);

  heal();
  const healedAt = clock.monotonicMs();
  await Promise.all(sites.map((site) => site.goesOn(200)));
  for (const site of sites) await site.stop();
  for (const site of sites)
    while ((await site.results()) < site.acknowledged) await clock.sleep(LOOK_MS, signal);
  const same = await sameAtBoth(east, west);
  const healMs = Math.round(clock.monotonicMs() - healedAt);
  const reports = await Promise.all(
    sites.map(({ lanes }) =>
      check(
        lanes,
        {
          model: MODEL,
          source: FLIGHTS,
          target: PAYOUTS,
          query: QUERY,
          evaluate: (at, payload) => {
            const { number } = payload as { number: number };
            return Promise.resolve([{ number, paid: number * (TIMES[at - 1] ?? Number.NaN) }]);
          },
          switchEpoch: 2,
        },
        signal,
      ),
    ),
  );
  const report = {
    cutMs,
    healMs,
    isCut,
    leaked: sites.map((_, at) => (heardAfter[at] ?? 0) - (heardBefore[at] ?? 0)),
    during,
    acknowledged: sites.map((site) => site.acknowledged),
    same,
    published: await published(east, sites),
    checks: reports.map(({ lost, duplicated, misapplied, outputs, mistakes, lanes }) => ({
      ...{ lost, duplicated, misapplied, outputs, mistakes },
      switched: lanes.filter(({ markerSeq }) => markerSeq > 0).length,
    })),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

await main();
