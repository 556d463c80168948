import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import { lambdaSettings, openFunctionHost } from "@greco/engines";
import type { LaneWriter, OpenLane } from "@greco/lane-kit";
import { openLaneWriter } from "@greco/lane-kit";
import type { BindingStore, LaneStore, Wake } from "@greco/ports";
import { createLog, parseConfig, systemClock, systemIds } from "@greco/service-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startRuntime } from "./start-runtime.ts";
import { Flow, MODEL, stream } from "./testing/flow.ts";

// Shorter ones lapse by themselves on a busy machine.
const LEASE_MS = 1_000;
const log = createLog({ service: "test", level: "error" });
const basics = { clock: systemClock, ids: systemIds, log };

let folder: string;
let stop: AbortController;
let stack: AsyncDisposableStack;
let stores: { laneStore: LaneStore; bindingStore: BindingStore; wake: Wake };
let flow: Flow;
let writer: LaneWriter;
let lanes: readonly OpenLane[];
let published: number[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "greco-runtime-"));
  stop = new AbortController();
  stack = new AsyncDisposableStack();
  const at = (name: string) => ({ path: join(folder, `${name}.sqlite`), clock: systemClock });
  stores = {
    laneStore: stack.use(await openEmbeddedLaneStore(at("lanes"))),
    bindingStore: stack.use(await openEmbeddedBindingStore(at("bindings"))),
    wake: stack.use(createEmbeddedWake()),
  };
  flow = new Flow(stores);
  await flow.commit({ factor: 2, label: "x" }, stop.signal);
  writer = stack.use(
    await openLaneWriter(
      { ...stores, ...basics, model: MODEL, name: "source", leaseMs: LEASE_MS },
      stop.signal,
    ),
  );
  lanes = [await open(), await open()];
  published = [];
});
afterEach(async () => {
  await stack.disposeAsync();
  stop.abort(new Error("the test is over"));
  rmSync(folder, { recursive: true, force: true });
});

const open = (): Promise<OpenLane> => writer.openLane({ stream: stream("s") }, stop.signal);

async function publish(count: number): Promise<void> {
  const from = published.length;
  const numbers = Array.from({ length: count }, (_, at) => from + at + 1);
  published.push(...numbers);
  await Promise.all(
    numbers.map((n) => {
      const payload = Buffer.from(JSON.stringify({ n, a: n }));
      const lane = lanes[n % 2] as OpenLane;
      return lane.append([{ key: `${n}`, payload }], stop.signal);
    }),
  );
}

/** Waits for a level: until nothing is wrong any more. */
async function settle(withinMs: number): Promise<readonly string[]> {
  const until = systemClock.monotonicMs() + withinMs;
  for (;;) {
    const problems = await flow.problems(published, stop.signal);
    if (problems.length === 0 || systemClock.monotonicMs() > until) return problems.slice(0, 5);
    await systemClock.sleep(100, stop.signal);
  }
}

async function endSources(): Promise<void> {
  for (const lane of lanes) await lane.end(stop.signal);
}

describe("a runtime on worker threads", () => {
  it("switches two queries in a row in-band, changed alone and together, and says that it is well", async () => {
    const functionHost = stack.use(createWorkerFunctionHost({ threads: 1, ...basics }));
    const listen = { host: "127.0.0.1", port: 0 };
    const runtime = await startRuntime(
      { ...stores, ...basics, functionHost },
      { listen, leaseMs: LEASE_MS },
      stop.signal,
    );
    expect(runtime.port).toBeGreaterThan(0);
    for (const change of [{ factor: 3 }, { label: "y" }, { factor: 4, label: "z" }]) {
      const flowing = publish(200);
      await flow.commit(change, stop.signal);
      await flowing;
      await publish(50);
    }
    expect(await settle(20_000)).toEqual([]);
    expect(runtime.status()[0]?.counts).toMatchObject({ deadLetters: 0, skipped: 0 });
    await runtime[Symbol.asyncDispose]();
    // Its lanes have their ends, and its lease is given back: nobody has to seal anything.
    const left = await stores.laneStore.listLanes(MODEL, {}, stop.signal);
    const open = left.filter(({ info, state }) => info.derived !== undefined && state.end === undefined);
    expect(open).toEqual([]);
  });
});

it("holds the lanes of a query whose host it was not told of, says what to give it, and goes on with others", async () => {
  const given = parseConfig(lambdaSettings, { flags: [], env: {} });
  const worker = createWorkerFunctionHost({ threads: 1, ...basics });
  const functionHost = stack.use(await openFunctionHost(worker, { given, log }));
  const listen = { host: "127.0.0.1", port: 0 };
  const runtime = stack.use(
    await startRuntime({ ...stores, ...basics, functionHost }, { listen, leaseMs: LEASE_MS }, stop.signal),
  );
  await publish(20);
  expect(await settle(20_000)).toEqual([]);
  const qualifiedArn = "arn:aws:lambda:eu-west-1:123456789012:function:label:7";
  const lambda = { qualifiedArn, codeSha256: "", configHash: "", concurrency: 1, batch: 1 };
  await flow.commit({ label: "y", lambda }, stop.signal);
  await publish(20);
  const held = () => runtime.status()[0]?.units.filter(({ holding }) => holding !== undefined) ?? [];
  await expect.poll(() => held().length, { timeout: 20_000 }).toBe(2);
  for (const { query, holding } of held()) {
    expect(query).toBe("query/label@1");
    expect(holding).toMatch(/give it --lambda-region/);
  }
  // All inputs once by `double`; by `label` those before its marker.
  await expect.poll(() => runtime.status()[0]?.counts.outputs, { timeout: 20_000 }).toBe(60);
});

describe("two runtimes, each a process", () => {
  function spawnRuntime(name: string): ChildProcess {
    const main = join(import.meta.dirname, "main.ts");
    const args = ["--data", folder, "--name", name, "--listen", "127.0.0.1:0", "--threads", "1"];
    const child = spawn(
      process.execPath,
      [main, ...args, "--lease-ms", `${LEASE_MS}`, "--log-level", "error"],
      {
        stdio: ["ignore", "ignore", "inherit"],
      },
    );
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    stack.defer(async () => {
      child.kill("SIGKILL");
      await exited;
    });
    return child;
  }
  async function runtimesAtWork(count: number): Promise<ReadonlySet<string>> {
    for (;;) {
      await publish(10);
      const claims = await stores.laneStore.listClaims(MODEL, stop.signal);
      const names = new Set(claims.filter(({ done }) => !done).map(({ runtime }) => runtime));
      names.delete("");
      if (names.size >= count) return names;
      await systemClock.sleep(100, stop.signal);
    }
  }

  it("I8: one is killed in mid-stream, and the other goes on, each input once", async () => {
    const first = spawnRuntime("one");
    spawnRuntime("two");
    await runtimesAtWork(2);
    for (let each = 0; each < 10; each++) {
      await publish(100);
      if (each === 4) first.kill("SIGKILL");
      if (each === 6) await flow.commit({ factor: 5, label: "q" }, stop.signal);
      await systemClock.sleep(30, stop.signal);
    }
    await endSources();
    expect(await settle(30_000)).toEqual([]);
  });

  it("I8: one sleeps for three leases and wakes, each input once", async () => {
    const first = spawnRuntime("one");
    spawnRuntime("two");
    await runtimesAtWork(2);
    for (let each = 0; each < 20; each++) {
      await publish(50);
      if (each === 4) first.kill("SIGSTOP");
      if (each === 8) await flow.commit({ factor: 6, label: "r" }, stop.signal);
      if (each === 16) first.kill("SIGCONT");
      await systemClock.sleep((3 * LEASE_MS) / 10, stop.signal);
    }
    // It joins again and works.
    await runtimesAtWork(2);
    await endSources();
    expect(await settle(30_000)).toEqual([]);
  });
});
