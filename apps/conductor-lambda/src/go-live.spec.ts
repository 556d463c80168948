import { openEmbeddedBindingStore, openEmbeddedLaneStore, createEmbeddedWake } from "@greco/adapter-embedded";
import { temporaryFolder } from "@greco/conductor-kit/testing";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { candidateId, epoch, hashOf, type EntityIdentity } from "@greco/domain/model";
import { followLedger, type LedgerFollower } from "@greco/lane-kit";
import type { BindingStore, LaneStore } from "@greco/ports";
import { createLog, systemClock } from "@greco/service-kit";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { functionName, functionObject } from "./function-name.ts";
import { ModelGoLive } from "./go-live.ts";
import { late, MODEL, requestOf, signal, streams, World } from "./testing/world.ts";
import { Turns } from "./turns.ts";

const QUERY = "query/late@1" as EntityIdentity;
const STREAM = "stream/flights@1" as EntityIdentity;
const NAME = functionName({ prefix: "greco", model: MODEL, entity: QUERY });
const OBJECT = functionObject(NAME);
const LANE = laneId("lane-1");
const before = { ...streams, ...late(600) };

let opened = new AsyncDisposableStack();
afterEach(async () => {
  await opened.disposeAsync();
  opened = new AsyncDisposableStack();
});

class Data {
  readonly world = new World();
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly ledger: LedgerFollower;
  /** What a proposal has intended that is not settled. */
  readonly intended = new Set<string>();
  readonly turns = new Turns();
  /** No other process has taken over. */
  acts = true;
  live: ModelGoLive;
  #epoch = 0;

  private constructor(laneStore: LaneStore, bindingStore: BindingStore, ledger: LedgerFollower) {
    this.laneStore = laneStore;
    this.bindingStore = bindingStore;
    this.ledger = ledger;
    this.live = this.start();
  }

  static async open(): Promise<Data> {
    const folder = opened.use(temporaryFolder("go-live")).path;
    const clock = systemClock;
    const laneStore = opened.use(await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock }));
    const bindingStore = opened.use(
      await openEmbeddedBindingStore({ path: join(folder, "bindings.db"), clock }),
    );
    const log = createLog({ service: "test", level: "silent" });
    const wake = opened.use(createEmbeddedWake());
    const ledger = opened.use(await followLedger({ laneStore, wake, clock, log, model: MODEL }, signal));
    return new Data(laneStore, bindingStore, ledger);
  }

  /** A new process. */
  start(): ModelGoLive {
    const { world, laneStore, bindingStore, turns, ledger } = this;
    const parts = { workshop: world.workshop(), prefix: "greco", laneStore, bindingStore, turns };
    const isIntended = (object: string): boolean => this.intended.has(object);
    const acts = (): Promise<boolean> => Promise.resolve(this.acts);
    this.live = new ModelGoLive(parts, { model: MODEL, ledger, isIntended, acts });
    return this.live;
  }

  /** Prepares a query and commits it as the next epoch. */
  async commit(euros: number, lambda: object = {}): Promise<void> {
    const [binding] = await this.world.prepare(
      this.world.conductor(),
      requestOf(late(euros, lambda), before),
      [],
    );
    if (binding === undefined) throw new Error("nothing was made");
    await this.commitContent(binding.content);
  }

  /** Undefined: the query is deleted. */
  async commitContent(content: string | undefined): Promise<void> {
    const at = epoch(++this.#epoch);
    const candidate = candidateId(`c${at}`);
    const hash = hashOf(content ?? "");
    if (content !== undefined)
      await this.bindingStore.putBindings(
        [{ model: MODEL, entity: QUERY, candidate, hash, content }],
        signal,
      );
    const bindings = [
      content === undefined
        ? { entity: QUERY, removed: true as const }
        : { entity: QUERY, candidate, hash, removed: false as const },
      // What a query reads is found by the stream's name.
      ...(at === 1 ? [{ entity: STREAM, candidate, hash: hashOf("{}"), removed: false as const }] : []),
    ];
    const entry = { model: MODEL, epoch: at, candidate, scope: [STREAM], bindings, committedAtMs: 0 };
    await this.laneStore.appendLedger(entry, signal);
    await this.ledger.refresh(signal);
  }

  /** A lane that began at the first epoch. */
  async openLane(): Promise<void> {
    const info = { model: MODEL, id: LANE, stream: STREAM, writer: writerId("w"), registeredAtMs: 0 };
    await this.laneStore.registerLane(info, signal);
    const marker = { kind: "marker", seq: seq(1), epoch: epoch(0), appendedAtMs: 0 } as const;
    await this.laneStore.append(MODEL, [{ lane: LANE, entries: [marker] }], signal);
  }

  async cross(at: number): Promise<void> {
    await this.laneStore.recordCrossing(MODEL, QUERY, LANE, epoch(at), signal);
  }

  async turn(): Promise<readonly string[]> {
    this.world.region.calls.length = 0;
    await this.world.clock.advance(20_000);
    await this.world.clock.drive(this.live.turn(signal));
    return this.world.region.calls.map(({ operation }) => operation);
  }

  get function() {
    const found = this.world.region.functions.get(NAME);
    if (found === undefined) throw new Error(`there is no ${NAME}`);
    return found;
  }

  get alias(): string | undefined {
    return this.function.aliases.get("live")?.version;
  }
}

describe("behind the marker", () => {
  it("the alias follows the newest version that every lane has crossed into, and no other", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600);
    await data.turn();
    expect(data.alias).toBeUndefined();
    await data.cross(1);
    await data.turn();
    expect(data.alias).toBe("1");
    await data.commit(700);
    await data.commit(800);
    expect(await data.turn()).toEqual([]);
    expect(data.alias).toBe("1");
    expect(data.live.waiting).toBe(1);
    await data.cross(2);
    await data.turn();
    expect(data.alias).toBe("2");
    await data.cross(3);
    await data.turn();
    expect(data.alias).toBe("3");
    expect(data.live.waiting).toBe(0);
    expect(data.live.isSettled(QUERY)).toBe(true);
    expect(await data.turn(), "what is settled is not asked about again").toEqual([]);
  });

  it("G1: a new process needs nothing that the old one knew", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600);
    await data.cross(1);
    data.start();
    await data.turn();
    expect(data.alias).toBe("1");
    data.start();
    expect(await data.turn(), "and changes nothing where all is as it is to be").toEqual([
      "getFunction",
      "listVersions",
      "getAlias",
      "getProvisioned",
    ]);
  });

  it("what is reserved and kept warm is taken back only when every lane has crossed", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600, { reservedConcurrency: 9, provisionedConcurrency: 2 });
    await data.cross(1);
    await data.turn();
    expect([data.function.reserved, [...data.function.provisioned.keys()]]).toEqual([9, [1]]);
    await data.commit(700, { reservedConcurrency: 4 });
    await data.turn();
    expect([data.function.reserved, [...data.function.provisioned.keys()]]).toEqual([9, [1]]);
    await data.cross(2);
    await data.turn();
    expect([data.function.reserved, [...data.function.provisioned.keys()]]).toEqual([4, []]);
  });

  it("fewer are kept warm of the same version, when every lane has crossed", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600, { provisionedConcurrency: 5 });
    await data.commit(600, { provisionedConcurrency: 2 });
    await data.turn();
    expect(data.function.provisioned.get(1)?.count).toBe(5);
    await data.cross(2);
    await data.turn();
    expect(data.function.provisioned.get(1)?.count).toBe(2);
  });

  it("G3: what a proposal has raised is not taken back before its outcome, also not by a new process", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600, { reservedConcurrency: 5 });
    await data.cross(1);
    await data.turn();
    expect(data.function.reserved).toBe(5);
    data.intended.add(OBJECT);
    data.function.reserved = 9;
    data.function.provisioned.set(1, { count: 3, readyAtMs: 0 });
    data.live.touch(QUERY);
    expect(data.live.isSettled(QUERY)).toBe(false);
    expect(await data.turn(), "it has nothing to tell").toEqual([]);
    data.start();
    await data.turn();
    expect([data.function.reserved, data.function.provisioned.get(1)?.count]).toEqual([9, 3]);
    expect(data.live.waiting).toBe(1);
    data.intended.delete(OBJECT);
    await data.turn();
    expect([data.function.reserved, data.function.provisioned.size]).toEqual([5, 0]);
    expect(data.live.isSettled(QUERY)).toBe(true);
  });

  it("G4: what is intended while it waits for its turn is not taken back", async () => {
    const data = await Data.open();
    await data.commit(600, { reservedConcurrency: 5 });
    data.function.reserved = 9;
    const take = data.turns.take.bind(data.turns);
    let waited = 0;
    data.turns.take = (name, work) => {
      waited += 1;
      // Who prepared it had the turn before.
      data.intended.add(OBJECT);
      return take(name, work);
    };
    await data.turn();
    expect([waited, data.function.reserved, data.alias]).toEqual([1, 9, "1"]);
  });

  it("G4: another process has taken over, and has raised it: it is not taken back", async () => {
    const data = await Data.open();
    await data.commit(600, { reservedConcurrency: 5 });
    data.function.reserved = 9;
    data.acts = false;
    await data.turn();
    expect([data.function.reserved, data.live.isSettled(QUERY)]).toEqual([9, false]);
    data.acts = true;
    await data.turn();
    expect([data.function.reserved, data.live.isSettled(QUERY)]).toEqual([5, true]);
  });

  it("is not settled from the moment on in which a newer version is in the ledger", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600);
    await data.cross(1);
    await data.turn();
    expect(data.live.isSettled(QUERY)).toBe(true);
    await data.commit(700);
    expect(data.live.isSettled(QUERY)).toBe(false);
  });

  it("K3: a write without an answer has its quiet time before its turn ends", async () => {
    const data = await Data.open();
    await data.commit(600, { reservedConcurrency: 5 });
    data.function.reserved = 9;
    data.world.region.fault = ({ operation }) =>
      operation === "putReserved" ? { kind: "unknown", when: "late" } : undefined;
    let inFlight = -1;
    const take = data.turns.take.bind(data.turns);
    data.turns.take = (name, work) =>
      take(name, () => work().finally(() => (inFlight = data.world.region.inFlight)));
    await data.turn();
    expect([inFlight, data.function.reserved]).toEqual([0, 5]);
  });

  it("what is touched during a look is looked at again", async () => {
    const data = await Data.open();
    await data.commit(600);
    data.world.region.fault = ({ operation }) => {
      if (operation === "getAlias") data.live.touch(QUERY);
      return undefined;
    };
    await data.turn();
    data.world.region.fault = () => undefined;
    expect(data.live.isSettled(QUERY)).toBe(false);
    expect(await data.turn()).toContain("getAlias");
    expect(data.live.isSettled(QUERY)).toBe(true);
  });

  it("a version that a repair has published under another number is found by its content", async () => {
    const data = await Data.open();
    await data.commit(600);
    data.function.versions = data.function.versions.map((each) => ({ ...each, number: 7 }));
    await data.turn();
    expect(data.alias).toBe("7");
  });

  it("of a query that is deleted, or runs elsewhere, nothing is kept warm or reserved once every lane has crossed", async () => {
    for (const next of [undefined, JSON.stringify({ from: "flights", to: "paid" })]) {
      const data = await Data.open();
      await data.openLane();
      await data.commit(600, { reservedConcurrency: 9, provisionedConcurrency: 2 });
      await data.cross(1);
      await data.turn();
      await data.commitContent(next);
      await data.turn();
      expect([data.function.reserved, data.function.provisioned.size]).toEqual([9, 1]);
      expect(data.live.waiting).toBe(1);
      await data.cross(2);
      await data.turn();
      expect([data.function.reserved, data.function.provisioned.size]).toEqual([undefined, 0]);
      expect(data.live.waiting).toBe(0);
      expect(await data.turn()).toEqual([]);
    }
  });

  it("its alias does not keep older versions: it is at the last that an epoch named", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600);
    await data.cross(1);
    await data.turn();
    expect(data.alias).toBe("1");
    await data.commit(700);
    await data.commitContent(undefined);
    await data.cross(3);
    await data.turn();
    expect(data.alias).toBe("2");
  });

  it("of a deleted query whose last binding is lost nothing is done, and of a retired one nothing is left to do", async () => {
    const data = await Data.open();
    await data.commit(600, { provisionedConcurrency: 2 });
    await data.commitContent(undefined);
    await data.bindingStore.deleteBinding(MODEL, QUERY, candidateId("c1"), signal);
    expect(await data.turn()).toEqual([]);
    expect(data.live.waiting).toBe(1);
    await data.laneStore.raiseFloor(MODEL, epoch(2), signal);
    expect(await data.turn()).toEqual([]);
    expect(data.live.waiting).toBe(0);
  });

  it("of a deleted query an older version may be kept behind a retired one: it does not stay warm either", async () => {
    const data = await Data.open();
    await data.commit(600, { provisionedConcurrency: 2 });
    await data.commit(700);
    await data.commitContent(undefined);
    await data.bindingStore.deleteBinding(MODEL, QUERY, candidateId("c2"), signal);
    await data.laneStore.raiseFloor(MODEL, epoch(3), signal);
    await data.turn();
    expect([data.function.provisioned.size, data.live.waiting]).toEqual([0, 0]);
  });

  it("a binding that is lost says nothing: what it names stays warm", async () => {
    const data = await Data.open();
    await data.commit(600, { provisionedConcurrency: 2 });
    await data.commit(700, { provisionedConcurrency: 2 });
    await data.turn();
    await data.bindingStore.deleteBinding(MODEL, QUERY, candidateId("c2"), signal);
    data.start();
    expect(await data.turn()).toEqual([]);
    expect([...data.function.provisioned.keys()]).toEqual([2]);
  });

  it("G2: what is not tagged as ours is not touched", async () => {
    const data = await Data.open();
    await data.commit(600);
    Object.assign(data.function, { tags: { team: "other" } });
    expect(await data.turn()).toEqual(["getFunction"]);
    expect(data.alias).toBeUndefined();
  });

  it("is done later when AWS does not take it now, and costs nothing meanwhile", async () => {
    const data = await Data.open();
    await data.commit(600);
    let left = 3;
    data.world.region.fault = ({ operation }) =>
      operation === "createAlias" && left-- > 0 ? { kind: "throttled", when: "before" } : undefined;
    for (let each = 0; each < 3; each++) {
      await data.turn();
      expect(data.alias).toBeUndefined();
    }
    await data.turn();
    expect(data.alias).toBe("1");
  });

  it("goes on with an alias that somebody moved meanwhile", async () => {
    const data = await Data.open();
    await data.commit(600);
    await data.commit(700);
    data.function.aliases.set("live", { version: "1", revision: "moved" });
    await data.turn();
    expect(data.alias).toBe("2");
  });
});
