// Every service as a process of its own, two of each: they share the work, one of a pair may die, a commit is one trace
// from the call to the runtimes' crossings, and each tells an operator how it is.
import { CommitService, Phase } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { Entry_Kind, IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { createClient } from "@greco/sdk";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Collector, startCollector } from "./testing/collector.ts";
import { type App, Deployment, type Service } from "./testing/deployment.ts";

// Thirteen processes on a busy machine take minutes to start; what hangs must end all the same.
const TEST_MS = 240_000;
const signal = AbortSignal.timeout(3 * TEST_MS);
const within = { timeout: 120_000, interval: 200 };
const MODEL = "models/m";
const CONDUCTORS = ["conductor-streams", "conductor-tables", "conductor-worker"] as const;

const stack = new AsyncDisposableStack();
const services: Service[] = [];
let deployment: Deployment;
let collector: Collector;
let ada: string;

const of = (app: App): Service[] => services.filter((each) => each.app === app);
const at = (app: App, index: number): Service => {
  const found = of(app)[index];
  if (found === undefined) throw new Error(`there is no ${app} ${index}`);
  return found;
};
const client = <S extends Parameters<typeof createClient>[0]>(service: S, { address }: Service) =>
  stack.use(createClient(service, { address, token: ada, deadlineMs: 20_000 }));

beforeAll(async () => {
  collector = stack.use(await startCollector());
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
  deployment = stack.use(await Deployment.open(env));
  ada = await deployment.person("ada");
  // No start order: a conductor is there before the control plane is.
  const registries = await Promise.all([deployment.start("registry"), deployment.start("registry")]);
  const [one = "", two = ""] = registries.map(({ address }) => address);
  const coordinators = await Promise.all([
    deployment.start("coordinator", { registry: one }),
    deployment.start("coordinator", { registry: two }),
  ]);
  // Whoever calls a pair is told of both.
  const both = (pair: readonly Service[]): string => `ipv4:${pair.map(({ address }) => address).join(",")}`;
  const peers = { registry: both(registries), coordinator: both(coordinators) };
  services.push(...registries, ...coordinators);
  for (const app of [...CONDUCTORS, "conductor-worker"] as const)
    services.push(await deployment.start(app, peers));
  for (const app of ["ingress", "runtime"] as const)
    services.push(...(await Promise.all([deployment.start(app), deployment.start(app)])));
}, TEST_MS);
afterAll(() => stack.disposeAsync());

async function makeItSo(
  draftId: string,
  changes: Readonly<Record<string, unknown>>,
  through: number,
): Promise<void> {
  const registry = client(RegistryService, at("registry", through));
  const commit = client(CommitService, at("coordinator", through));
  const { name: draft, etag } = await registry.createDraft({ parent: MODEL, draftId }, { signal });
  const lines = Object.entries(changes).map(([entity, spec]) => ({
    entity: `${MODEL}/entities/${entity}`,
    action: { case: "putSpecJson" as const, value: JSON.stringify(spec) },
  }));
  const edited = await registry.editDraft({ name: draft, etag, changes: lines }, { signal });
  const made = { draft, etag: edited.draft?.etag ?? "" };
  const { name } = await commit.makeItSo({ ...made, reason: "test" }, { signal });
  await vi.waitFor(async () => {
    const { phase, message } = await commit.getProposal({ name }, { signal });
    expect(message).toBe("");
    expect(phase).toBe(Phase.SETTLED);
  }, within);
}

/** Behind the epoch's marker: an event before it is one of the query before, which lets it go. */
async function publish(through: number, celsius: number, atLeastEpoch: bigint): Promise<void> {
  const ingress = client(IngressService, at("ingress", through));
  const message = { payload: Buffer.from(JSON.stringify({ celsius })) };
  const request = { stream: `${MODEL}/streams/readings`, message, atLeastEpoch };
  await vi.waitFor(() => ingress.publish(request, { signal }), within);
}

/** What comes out of the query, read at one ingress, until so many are there. */
async function alarms(through: number, count: number): Promise<number[]> {
  const ingress = client(IngressService, at("ingress", through));
  const found: number[] = [];
  const over = new AbortController();
  const request = { stream: `${MODEL}/streams/alarms`, start: { case: "beginning" as const, value: true } };
  try {
    const entries = ingress.subscribe(request, { signal: AbortSignal.any([signal, over.signal]) });
    for await (const { entries: some } of entries)
      for (const { kind, payload } of some) {
        if (kind !== Entry_Kind.DATA) continue;
        found.push((JSON.parse(Buffer.from(payload).toString()) as { celsius: number }).celsius);
        if (found.length === count) over.abort(new Error("that was all"));
      }
  } catch (error) {
    if (!over.signal.aborted) throw error;
  }
  return found.toSorted((a, b) => a - b);
}

const stream = (lanes: number) => ({
  lanes,
  schema: { type: "object", properties: { celsius: { type: "number" } } },
});
const alarm = (above: number) => ({
  ...{ from: "readings", to: "alarms" },
  ...{ where: `event.celsius > ${above}`, select: { celsius: "event.celsius" } },
});

it(
  "works with two of each, and a make-it-so is one trace up to the runtimes' crossings",
  { timeout: TEST_MS },
  async () => {
    const admin = client(RegistryService, at("registry", 0));
    await admin.createModel({ modelId: "m" }, { signal });
    const conductors = client(ConductorService, at("coordinator", 1));
    await vi.waitFor(async () => {
      const { conductors: known } = await conductors.listConductors({ model: MODEL }, { signal });
      expect(known.map(({ name }) => name).toSorted()).toEqual(
        CONDUCTORS.map((name) => `conductors/${name}`),
      );
    }, within);
    await makeItSo(
      "first",
      { "stream/readings": stream(2), "stream/alarms": stream(1), "query/alarm": alarm(30) },
      0,
    );
    await publish(0, 31, 1n);
    await publish(1, 29, 1n);
    expect(await alarms(1, 1)).toEqual([31]);

    await makeItSo("second", { "query/alarm": alarm(25) }, 1);
    await publish(1, 26, 2n);
    expect(await alarms(0, 2)).toEqual([26, 31]);

    await vi.waitFor(() => {
      const call = collector.spans.findLast(
        ({ name, service }) => name.endsWith("/MakeItSo") && service === "greco-coordinator",
      );
      const mine = collector.spans.filter(({ traceId }) => traceId === call?.traceId);
      const told = new Set(mine.map(({ service, name }) => `${service}: ${name}`));
      expect([...told]).toEqual(
        expect.arrayContaining([
          "greco-coordinator: greco.commit.v1.CommitService/MakeItSo",
          "greco-registry: greco.registry.v1.RegistryService/Freeze",
          "greco-coordinator: coordinator announce",
          "greco-conductor-worker: conductor review",
          "greco-conductor-worker: conductor prepare",
          "greco-conductor-streams: conductor review",
          "greco-coordinator: coordinator promote",
          "greco-coordinator: coordinator mark",
          "greco-runtime: runtime crosses",
        ]),
      );
      // Each hangs below another one of it.
      const ids = new Set(mine.map(({ spanId }) => spanId));
      expect(mine.filter(({ parentSpanId }) => parentSpanId !== "" && !ids.has(parentSpanId))).toEqual([]);
    }, within);
  },
);

it("tells an operator what each of them does", async () => {
  const metricsOf = async (app: App): Promise<string> =>
    (await Promise.all(of(app).map(async ({ metrics }) => await (await fetch(metrics)).text()))).join("");
  expect(await metricsOf("registry")).toMatch(
    /greco_server_calls_total\{method="greco.registry.v1.RegistryService\/Freeze",code="OK"\} \d/,
  );
  const coordinator = await metricsOf("coordinator");
  expect(coordinator.match(/^greco_coordinator_driving [01]$/gm)?.toSorted()).toEqual([
    "greco_coordinator_driving 0",
    "greco_coordinator_driving 1",
  ]);
  expect(coordinator).toMatch(/greco_coordinator_phases_total\{phase="committed"\} 2/);
  expect(coordinator).toMatch(/greco_coordinator_answers_total\{kind="accept"\} \d/);
  expect(await metricsOf("conductor-worker")).toMatch(
    /greco_conductor_candidates\{model="m",phase="released"\} [12]/,
  );
  const ingress = await metricsOf("ingress");
  expect(ingress).toMatch(/greco_ingress_messages_total\{outcome="appended"\} \d/);
  expect(ingress).toMatch(/greco_ingress_lanes_open\{model="m"\} \d/);
  const runtime = await metricsOf("runtime");
  expect(runtime).toMatch(/greco_runtime_epoch\{model="m"\} 2/);
  expect(runtime).toMatch(/greco_runtime_lane_lag\{model="m",query="query\/alarm@1",lane="[^"]+"\} 0/);
});

it("goes on when one of each pair is killed, the one at work", { timeout: TEST_MS }, async () => {
  const driving = await Promise.all(
    of("coordinator").map(async ({ metrics }) =>
      (await (await fetch(metrics)).text()).includes("greco_coordinator_driving 1"),
    ),
  );
  const dying = driving.indexOf(true);
  const victims = [
    ...[at("registry", dying), at("coordinator", dying), at("ingress", 0), at("runtime", 0)],
    // Of two processes of a conductor the last one is at work.
    at("conductor-worker", 1),
  ];
  for (const { child } of victims) child.kill("SIGKILL");
  await Promise.all(victims.map(({ exited }) => exited));
  await publish(1, 40, 2n);
  expect(await alarms(1, 3)).toEqual([26, 31, 40]);
  await makeItSo("third", { "query/alarm": alarm(20) }, 1 - dying);
  await publish(1, 21, 3n);
  expect(await alarms(1, 4)).toEqual([21, 26, 31, 40]);
});
