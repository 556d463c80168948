import { openEmbeddedBindingStore, openEmbeddedLaneStore, createEmbeddedWake } from "@greco/adapter-embedded";
import { temporaryFolder } from "@greco/conductor-kit/testing";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { candidateId, epoch, hashOf, type EntityIdentity } from "@greco/domain/model";
import { followLedger, type LedgerFollower } from "@greco/lane-kit";
import type { BindingStore, LaneStore } from "@greco/ports";
import { createLog, systemClock } from "@greco/service-kit";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { functionName } from "./function-name.ts";
import { ModelGoLive } from "./go-live.ts";
import { late, MODEL, requestOf, signal, streams, World } from "./testing/world.ts";

const QUERY = "query/late@1" as EntityIdentity;
const STREAM = "stream/flights@1" as EntityIdentity;
const NAME = functionName({ prefix: "greco", model: MODEL, entity: QUERY });
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
  readonly raised = new Set<string>();
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
    const { world, laneStore, bindingStore } = this;
    const wake = createEmbeddedWake();
    const parts = { workshop: world.workshop(), prefix: "greco", laneStore, bindingStore, wake };
    this.live = new ModelGoLive(parts, this.raised, MODEL);
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
    const at = epoch(++this.#epoch);
    const candidate = candidateId(`c${at}`);
    const { content } = binding;
    const hash = hashOf(content);
    await this.bindingStore.putBindings([{ model: MODEL, entity: QUERY, candidate, hash, content }], signal);
    const bindings = [
      { entity: QUERY, candidate, hash, removed: false as const },
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
    await this.world.clock.drive(this.live.turn(this.ledger, signal));
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
      "getAlias",
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

  it("G3: what an open candidate has raised is not taken back, and is when it is undone", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600, { reservedConcurrency: 5 });
    await data.cross(1);
    await data.turn();
    expect(data.function.reserved).toBe(5);
    data.raised.add(NAME);
    data.function.reserved = 9;
    data.live.recheck(NAME);
    await data.turn();
    expect(data.function.reserved).toBe(9);
    data.raised.delete(NAME);
    data.live.recheck(NAME);
    await data.turn();
    expect(data.function.reserved).toBe(5);
  });

  it("raises again what a restart took back between ready and the marker", async () => {
    const data = await Data.open();
    await data.openLane();
    await data.commit(600, { reservedConcurrency: 5 });
    await data.cross(1);
    await data.turn();
    await data.commit(700, { reservedConcurrency: 9 });
    data.function.reserved = 5;
    await data.turn();
    expect(data.function.reserved).toBe(9);
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
