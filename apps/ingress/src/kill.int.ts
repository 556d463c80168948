/** `kill -9` in mid-stream, at every step of an append, of a marker, of an acknowledgement, of a seal; then a restart. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedBindingStore, openEmbeddedLaneStore, createEmbeddedWake } from "@greco/adapter-embedded";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { createClient } from "@greco/sdk";
import { createDevKeys, systemClock } from "@greco/service-kit";
import { describe, expect, it } from "vitest";
import {
  eventually,
  flight,
  FLIGHTS,
  flightsContent,
  MODEL,
  never,
  RESOURCE,
  World,
} from "./testing/world.ts";

/** Five of them start processes together: on a busy machine a shorter one lapses before anything has begun. */
const LEASE_MS = 1_200;
const START_WITHIN_MS = 40_000;
const MESSAGES = 40;

type Process = { readonly address: string; readonly died: Promise<unknown> };

/** A folder with the app's stores, in which processes of it are started and killed. */
class Scene implements AsyncDisposable {
  readonly world: World;
  readonly #folder: string;
  readonly #keysFile: string;
  readonly #token: string;
  readonly #children: ReturnType<typeof spawn>[] = [];

  constructor(folder: string, world: World, keysFile: string, token: string) {
    this.#folder = folder;
    this.world = world;
    this.#keysFile = keysFile;
    this.#token = token;
  }

  /** The app's own process on the same folder. */
  async start(failpoint = ""): Promise<Process> {
    const main = join(import.meta.dirname, "main.ts");
    const flags = ["--data", this.#folder, "--keys", this.#keysFile, "--lease-ms", String(LEASE_MS)];
    const child = spawn(
      process.execPath,
      [main, ...flags, "--listen", "127.0.0.1:0", "--connect", "127.0.0.1:0"],
      { env: { ...process.env, GRECO_FAILPOINT: failpoint }, stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#children.push(child);
    let said = "";
    for (const output of [child.stdout, child.stderr])
      output.on("data", (chunk: Buffer) => (said += String(chunk)));
    const died = once(child, "exit");
    const address = await eventually(async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it did not start:\n${said}`);
      return /"address":"([^"]+)"/.exec(said)?.[1];
    }, START_WITHIN_MS);
    return { address, died };
  }

  /** Publishes what is not acknowledged yet under the same numbers, from whichever ingress, until it breaks or is done. */
  async publish(address: string, acknowledged: Map<number, { lane: string; seq: bigint }>): Promise<void> {
    await using client = createClient(IngressService, { address, token: this.#token, deadlineMs: 20_000 });
    const { world } = this;
    const last = [...acknowledged.values()].at(-1);
    const producer = { id: "tower", lastLane: last?.lane ?? "", lastSeq: last?.seq ?? 0n };
    let broken = false;
    // One after the other, so that each is an append of its own; every eighth behind the marker of a new epoch.
    async function* requests() {
      let atLeastEpoch = 0n;
      for (let number = 1; number <= MESSAGES; number += 1) {
        if (acknowledged.has(number)) continue;
        const content = { ...flightsContent, key: `key-${number}` };
        if (number % 8 === 0) atLeastEpoch = BigInt(await world.commit([{ entity: FLIGHTS, content }]));
        const message = { ...flight(`k${number % 5}`, number), producerSeq: BigInt(number) };
        yield { stream: RESOURCE, batchId: BigInt(number), messages: [message], producer, atLeastEpoch };
        await eventually(async () => (broken || acknowledged.has(number) ? true : undefined));
      }
    }
    await using _ended = { [Symbol.asyncDispose]: async () => void (broken = true) };
    for await (const { batchId, results } of client.publishBatches(requests(), { signal: never })) {
      const [result] = results;
      if (result?.outcome.case !== "published") throw new Error(JSON.stringify(result?.outcome.value));
      const { lane = "", seq = 0n } = result.outcome.value.position ?? {};
      acknowledged.set(Number(batchId), { lane, seq });
    }
  }

  async publishUntilItDies(
    { address, died }: Process,
    acknowledged: Map<number, { lane: string; seq: bigint }>,
  ): Promise<void> {
    let alive = true;
    void died.then(() => (alive = false));
    while (alive) {
      // A stalled machine may cost it its lease before; it is tried again, as a producer does.
      const broken = await this.publish(address, acknowledged).then(
        () => false,
        () => true,
      );
      expect(broken, "all was published before it was killed").toBe(true);
      await systemClock.sleep(50, never);
    }
  }

  async judge(acknowledged: ReadonlyMap<number, { lane: string; seq: bigint }>): Promise<void> {
    const lanes = await this.world.laneStore.listLanes(
      MODEL,
      { stream: FLIGHTS, includeFinished: true },
      never,
    );
    const stored: number[] = [];
    for (const { info, state } of lanes) {
      const { entries } = await this.world.laneStore.read(MODEL, info.id, 1 as never, 1_000, never);
      const counted = entries.filter(({ seq }) => state.end === undefined || seq <= state.end);
      for (const entry of counted) if (entry.kind === "data") stored.push(entry.producer?.seq ?? 0);
      for (const [number, place] of acknowledged) {
        if (place.lane !== info.id) continue;
        const entry = counted[Number(place.seq) - 1];
        expect(entry?.kind === "data" && entry.producer?.seq, `number ${number}`).toBe(number);
      }
    }
    const all = Array.from({ length: MESSAGES }, (_, index) => index + 1);
    expect([...acknowledged.keys()].toSorted((a, b) => a - b)).toEqual(all);
    expect(stored.toSorted((a, b) => a - b)).toEqual(all);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.world[Symbol.asyncDispose]();
  }
}

async function openScene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "greco-kill-"));
  const at = (name: string) => ({ path: join(folder, `${name}.sqlite`), clock: systemClock });
  const laneStore = await openEmbeddedLaneStore(at("lanes"));
  const bindingStore = await openEmbeddedBindingStore(at("bindings"));
  const world = new World(folder, laneStore, bindingStore, createEmbeddedWake());
  const keys = await createDevKeys(join(folder, "keys"), systemClock);
  const token = await keys.issue({ subject: "ada" });
  await world.commit([{ entity: FLIGHTS, content: flightsContent }]);
  return new Scene(folder, world, keys.keysFile, token);
}

const appended = "lane.append.after:kill:20";
const unacknowledged = "ingress.ack.before:kill:15";
const marked = "lane.marker.after:kill:5";

describe("an ingress that is killed", () => {
  // Mostly they wait for leases to lapse, so they do it together.
  it.concurrent.each<readonly [title: string, first: string, sealer?: string]>([
    ["I8: loses nothing and doubles nothing, killed when rows are stored", appended],
    ["I8: loses nothing and doubles nothing, killed before it acknowledges", unacknowledged],
    ["I8: loses nothing and doubles nothing, killed when a marker is stored", marked],
    [
      "R2: is sealed in the end, though its sealer is killed when it has closed the lease",
      unacknowledged,
      "lane.seal.close.after:kill",
    ],
    [
      "R2: is sealed in the end, though its sealer is killed before it ends a lane",
      unacknowledged,
      "lane.seal.end.before:kill",
    ],
  ])("%s", async (_title, first, sealer) => {
    const acknowledged = new Map<number, { lane: string; seq: bigint }>();
    await using scene = await openScene();
    await scene.publishUntilItDies(await scene.start(first), acknowledged);
    expect(acknowledged.size).toBeGreaterThan(0);
    if (sealer !== undefined) await (await scene.start(sealer)).died;
    const { address } = await scene.start();
    await scene.publish(address, acknowledged);
    await scene.judge(acknowledged);
  });
});
