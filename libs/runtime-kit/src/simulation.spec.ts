/**
 * Whole runtimes by seeds: stores behind a bad network, runtimes that die, sleep and leave, an ingress that does too,
 * epochs that change the first hop, the second, both, or a table. What is stored is judged by a checker of its own
 * (testing/check-lanes.ts). `GRECO_SEEDS=100-200` runs others; a failure prints its seed.
 */
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import type { LaneWriter, OpenLane } from "@greco/lane-kit";
import type { LaneStore } from "@greco/ports";
import type { FaultControl, Random, SimulatedClock } from "@greco/simulation";
import { faultyLaneStore, seededRandom, simulatedClock, simulatedIds } from "@greco/simulation";
import { expect, it } from "vitest";
import { checkLanes, readLanes } from "./testing/check-lanes.ts";
import { SleepyClock } from "./testing/sleepy-clock.ts";
import type { Changes } from "./testing/small-model.ts";
import { MODEL } from "./testing/small-model.ts";
import type { TestRuntime } from "./testing/world.ts";
import { LEASE_MS, World } from "./testing/world.ts";

const STEPS = 50;
const WISHES = ["", "", "", "", "!0", "!3", "!bad"] as const;
const FAULTS = { unavailable: 0.02, lostAnswer: 0.02, lateEffect: 0.02, repeat: 0.02, delayMs: 20 };

type Player = TestRuntime & { readonly clock: SleepyClock; readonly faults: FaultControl; asleep: boolean };

class Simulation {
  readonly #random: Random;
  readonly #clock: SimulatedClock;
  readonly #world: World;
  readonly #players: Player[] = [];
  readonly #faults: FaultControl[] = [];
  #writer: LaneWriter | undefined;
  #ingress = new AbortController();
  #lanes: OpenLane[] = [];
  #messages = 0;
  #version = 1;
  #names = 0;

  private constructor(random: Random, clock: SimulatedClock, world: World) {
    this.#random = random;
    this.#clock = clock;
    this.#world = world;
  }

  static async run(
    seed: number,
  ): Promise<{ problems: readonly string[]; judged: number; logged: readonly string[] }> {
    const clock = simulatedClock();
    const laneStore = await openEmbeddedLaneStore({ path: ":memory:", clock });
    const bindingStore = await openEmbeddedBindingStore({ path: ":memory:", clock });
    const wake = createEmbeddedWake();
    const world = new World({ laneStore, bindingStore, wake, clock, ids: simulatedIds(seed) });
    const simulation = new Simulation(seededRandom(seed), clock, world);
    try {
      await simulation.#play();
      const lanes = await clock.drive(readLanes(laneStore, world.signal));
      const unfinished = await clock.drive(laneStore.listLanes(MODEL, {}, world.signal));
      const verdict = checkLanes(world.model, lanes);
      const left = unfinished.map(({ info }) => `I8 lane ${info.id} of ${info.stream} was never finished`);
      return { judged: verdict.judged, problems: [...verdict.problems, ...left], logged: world.logged };
    } finally {
      world.end();
      await clock.advance(10_000);
      for (const each of [laneStore, bindingStore, wake]) await each[Symbol.asyncDispose]();
    }
  }

  async #play(): Promise<void> {
    const queries = {
      a: { from: "s", to: "t", v: 1, tables: ["k"] },
      b: { from: "t", to: "u", v: 1 },
      c: { from: "t", to: "w", v: 1 },
    };
    const streams = { s: {}, t: {}, u: {}, w: {} };
    await this.#drive(
      this.#world.model.commit({ streams, queries, tables: { k: { v: 1 } } }, this.#world.signal),
    );
    await this.#join();
    await this.#join();
    await this.#openSource();
    for (let step = 0; step < STEPS; step++) {
      await this.#act();
      await this.#clock.advance(this.#random.integer(400));
    }
    await this.#comeToRest();
  }

  async #act(): Promise<void> {
    const { random, awake } = { random: this.#random, awake: this.#players.filter((each) => !each.asleep) };
    const dice = random.integer(100);
    if (dice < 55) return this.#publish();
    if (dice < 75) return this.#commit();
    if (dice < 80 && awake.length > 0) return this.#kill(random.pick(awake));
    if (dice < 86 && awake.length > 0) return this.#sleep(random.pick(awake));
    if (dice < 90) return this.#wakeOne();
    if (dice < 92 && awake.length > 1) return this.#leave(random.pick(awake));
    if (dice < 96 && this.#players.length < 3) return this.#join();
    if (dice < 98) return this.#openSource();
    return this.#askForAnEnd();
  }

  // ---- the outside

  async #publish(): Promise<void> {
    const texts = Array.from(
      { length: this.#random.integer(12) },
      () => `m${++this.#messages}${this.#random.pick(WISHES)}`,
    );
    const lane = this.#random.pick(this.#lanes);
    // Not waited for: what comes of it is in the store.
    this.#world.publish(lane, ...texts).catch(() => undefined);
    if (this.#writer?.lost.aborted === true) await this.#openSource();
  }

  async #commit(): Promise<void> {
    const v = ++this.#version;
    const a = { from: "s", to: "t", v, tables: ["k"] };
    const b = { from: "t", to: "u", v };
    const c = { from: "t", to: this.#random.pick(["w", "u"]), v };
    const before = this.#world.model.queryAt(this.#world.model.epoch, "c");
    const changes: Changes = this.#random.pick<Changes>([
      // Removed, and another one of its name made later; from one stream to another and back.
      { queries: { c: before === undefined ? c : null } },
      { queries: { c: { ...c, from: "s" } } },
      { queries: { b, c: { ...c, from: this.#random.pick(["s", "t"]) } } },
      { queries: { a } },
      { queries: { b } },
      { queries: { a, b } },
      { queries: { c } },
      { tables: { k: { v } } },
      { queries: { a, b, c }, tables: { k: { v } } },
      { streams: { t: { retentionMs: 1_000_000 + v } } },
    ]);
    await this.#drive(this.#world.model.commit(changes, this.#world.signal));
    if (this.#random.chance(0.4)) await this.#drive(this.#world.fold());
  }

  /** A new writer with two lanes; the old one's lanes end, or are left to be sealed. */
  async #openSource(): Promise<void> {
    const old = this.#writer;
    if (old !== undefined && this.#random.chance(0.5)) await this.#drive(dispose(old));
    this.#ingress.abort(new Error("the ingress dies"));
    this.#ingress = new AbortController();
    const writer = await this.#drive(this.#world.source("ingress", this.#ingress.signal));
    this.#writer = writer;
    this.#lanes = [];
    for (let each = 0; each < 2; each++)
      this.#lanes.push(await this.#drive(this.#world.openLane(writer, "s")));
  }

  async #askForAnEnd(): Promise<void> {
    const { laneStore } = this.#world.stores;
    const lanes = await this.#drive(laneStore.listLanes(MODEL, {}, this.#world.signal));
    const derived = lanes.filter(({ info, state }) => info.derived !== undefined && state.end === undefined);
    if (derived.length === 0) return;
    await this.#drive(laneStore.requestClose(MODEL, this.#random.pick(derived).info.id, this.#world.signal));
  }

  // ---- runtimes

  async #join(): Promise<void> {
    const { stores } = this.#world;
    const clock = new SleepyClock(this.#clock);
    const faults = faultyLaneStore(stores.laneStore, this.#random.fork(), { ...FAULTS, clock: this.#clock });
    faults.setFaults({});
    const laneStore = clock.before(apart(faults));
    const runtime = await this.#drive(this.#world.runtime(`r${++this.#names}`, { clock, laneStore }));
    faults.setFaults(FAULTS);
    this.#players.push({ ...runtime, clock, faults, asleep: false });
    this.#faults.push(faults);
  }

  /** In the midst of work: what was under way is cut off anywhere. */
  async #midst(): Promise<void> {
    for (let each = 0; each < 3; each++) await this.#publish();
    await this.#clock.advance(this.#random.integer(120));
  }

  async #kill(player: Player): Promise<void> {
    await this.#midst();
    this.#remove(player);
    await this.#drive(player.kill());
    if (this.#players.length === 0) await this.#join();
  }

  async #leave(player: Player): Promise<void> {
    this.#remove(player);
    await this.#drive(dispose(player.runner));
  }

  async #sleep(player: Player): Promise<void> {
    await this.#midst();
    player.clock.fallAsleep();
    player.asleep = true;
    await this.#clock.advance(this.#random.integer(3 * LEASE_MS));
  }

  async #wakeOne(): Promise<void> {
    const player = this.#players.find(({ asleep }) => asleep);
    if (player === undefined) return;
    player.asleep = false;
    player.clock.wakeUp();
    await this.#clock.advance(50);
  }

  #remove(player: Player): void {
    this.#players.splice(this.#players.indexOf(player), 1);
  }

  /** Faults end, everybody wakes, the sources end, and all that was published is to be done. */
  async #comeToRest(): Promise<void> {
    for (const faults of this.#faults) faults.setFaults({});
    for (const player of this.#players) if (player.asleep) player.clock.wakeUp();
    if (this.#writer !== undefined) await this.#drive(dispose(this.#writer));
    await this.#clock.advance(5_000);
    const { laneStore } = this.#world.stores;
    for (let each = 0; each < 60; each++) {
      const live = await this.#drive(laneStore.listLanes(MODEL, {}, this.#world.signal));
      if (live.length === 0) return;
      await this.#clock.advance(1_000);
    }
  }

  #drive<T>(work: Promise<T>): Promise<T> {
    return this.#clock.drive(work);
  }
}

/** Only the rows of one lane stand or fall together: each lane's go their own way, and one may come without the others. */
function apart(store: LaneStore): LaneStore {
  return new Proxy(store, {
    get(target, name) {
      if (name !== "append") return target[name as keyof LaneStore];
      const append: LaneStore["append"] = async (model, appends, signal) => {
        await Promise.all(appends.map((each) => target.append(model, [each], signal)));
      };
      return append;
    },
  });
}

const dispose = async (what: AsyncDisposable): Promise<void> => what[Symbol.asyncDispose]();

function seeds(): readonly number[] {
  const [first = "1", last = first] = (process.env["GRECO_SEEDS"] ?? "1-10").split("-");
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => Number(first) + at);
}

it.each(seeds())(
  "I6, I7, I8: whatever befalls runtimes and stores, by seed %i",
  { timeout: 60_000 },
  async (seed) => {
    const { problems, judged, logged } = await Simulation.run(seed);
    if (problems.length > 0 && process.env["GRECO_TRACE"] !== undefined)
      process.stderr.write(logged.join("\n"));
    expect(problems.slice(0, 10), `seed ${seed}`).toEqual([]);
    expect(judged).toBeGreaterThan(20);
  },
);
