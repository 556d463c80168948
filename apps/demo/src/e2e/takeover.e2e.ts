import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { describe, expect, it } from "vitest";
import { check } from "../checker.ts";
import { drained } from "../drained.ts";
import { evaluationOf } from "../evaluate.ts";
import { Publisher, PRODUCER } from "../publisher.ts";
import { until } from "../story.ts";
import { MODEL, PARENT, scaling, stream, World } from "./world.ts";

const FIELDS = { n: { type: "number" }, by: { type: "string" } };
const LEASE_MS = 700;
const RATE = 500;
const INPUTS = Array.from({ length: 5_000 }, (_, n) => ({ n, by: "" }));
const streams = [stream("a", FIELDS, { lanes: 8 }), stream("b", FIELDS)];
const RUNTIME = fileURLToPath(import.meta.resolve("@greco/app-runtime/main"));

/** A second runtime, as a process that can be killed and put to sleep. */
class SecondRuntime implements AsyncDisposable {
  readonly child: ChildProcess;

  constructor(dir: string) {
    const args = [
      "--data",
      dir,
      "--listen",
      "127.0.0.1:0",
      "--threads",
      "1",
      "--name",
      "second",
      "--lease-ms",
      String(LEASE_MS),
      "--log-level",
      "error",
    ];
    this.child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", RUNTIME, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }
}

async function run(fate: (world: World, second: SecondRuntime) => Promise<void>): Promise<void> {
  await using world = await World.start({ leaseMs: LEASE_MS });
  await using second = new SecondRuntime(world.dev.dataDir);
  await world.commit([...streams, scaling("q", "a", "b", 1)]);
  const clients = world.dev.clients("admin");
  const publisher = new Publisher(systemClock, { stream: `${PARENT}/streams/a`, rate: RATE });
  const published = publisher.publish(clients.ingress, INPUTS, world.signal);
  published.catch(() => undefined);
  await until(() => sharedBy(world), world.signal);
  await fate(world, second);
  // The change is made so while the work moves from one runtime to the other.
  await world.commit([scaling("q", "a", "b", 2)]);
  await published;
  await drained(clients, { parent: PARENT, stream: "a", query: "q" }, systemClock, world.signal);

  const evaluations = await Promise.all(
    [1, 2].map((factor) => evaluationOf([...streams, scaling("q", "a", "b", factor)])),
  );
  const id = (kind: string, name: string) => entityIdentity(entityKey(kind, name), 1);
  const report = await check(
    world.dev.laneStore,
    {
      model: modelId(MODEL),
      source: id("stream", "a"),
      target: id("stream", "b"),
      query: id("query", "q"),
      published: { inputs: INPUTS, producer: PRODUCER },
      evaluate: async (epoch, payload) => (await evaluations[epoch - 1]?.(payload)) ?? [],
      switchEpoch: 2,
    },
    world.signal,
  );
  expect({ ...report, records: [], inputAt: 0, lanes: [] }).toMatchObject({
    inputs: INPUTS.length,
    outputs: INPUTS.length,
    lost: 0,
    duplicated: 0,
    misapplied: 0,
    mistakes: [],
  });
}

/** Both runtimes have lanes of the query. */
async function sharedBy(world: World): Promise<true | undefined> {
  const claims = await world.dev.laneStore.listClaims(modelId(MODEL), world.signal);
  const names = new Set(claims.filter((claim) => !claim.done).map((claim) => claim.runtime));
  return names.size > 1 ? true : undefined;
}

describe("two runtimes share the lanes of a query", () => {
  it("I6, I8: one dies with kill -9, the other takes its lanes over; nothing is lost or twice", () =>
    run(async (_world, second) => {
      second.child.kill("SIGKILL");
      await once(second.child, "exit");
    }));

  it("I6, I8, R2: one sleeps for three leases and wakes as a zombie; nothing is lost or twice", () =>
    run(async (world, second) => {
      second.child.kill("SIGSTOP");
      await systemClock.sleep(3 * LEASE_MS, world.signal);
      second.child.kill("SIGCONT");
    }));
});
