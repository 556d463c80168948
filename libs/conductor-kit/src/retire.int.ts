/** Retire against the embedded lane store: what lanes, replays, pins and other epochs need stays (I13, R7, R9). */
import type { Entry, LaneId, LaneInfo } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import {
  candidateId,
  entityKey,
  epoch,
  hashOf,
  parseEntityIdentity,
  type EntityIdentity,
  type EntityKey,
} from "@greco/domain/model";
import { describe, expect, it } from "vitest";
import type { Accept, Flow, ReviewRequest, Veto } from "./conductor.ts";
import { model, Region, RegionConductor, Rig, until, type Proposal } from "./testing/index.ts";

const FLIGHTS = "stream/flights@1" as EntityIdentity;
const writer = writerId("w");
let appended = 0;
const QUERY = "query/q@1" as EntityIdentity;

/** Knows which queries look up a thing, by its name, as tables are looked up. */
class LookedUp extends RegionConductor {
  async inputsOf(
    { entity }: { readonly entity: EntityIdentity },
    flows: () => Promise<readonly Flow[]>,
  ): Promise<readonly EntityKey[]> {
    const { name } = parseEntityIdentity(entity);
    const using = (await flows()).filter(({ tables }) => tables.includes(name));
    return using.map(({ from }) => entityKey("stream", from));
  }
}

/** Takes a thing only where its spec does not leave it to another conductor. */
class Leaving extends RegionConductor {
  override async review(request: ReviewRequest): Promise<Accept | Veto> {
    const opinion = await super.review(request);
    if (opinion.vote === "veto") return opinion;
    const left = request.affected.filter(({ after }) => after?.specJson.includes("elsewhere"));
    return { ...opinion, claims: opinion.claims.filter((key) => !left.some((each) => each.key === key)) };
  }

  owns(content: string): boolean {
    return !content.includes("elsewhere");
  }
}

const marker = (at: number, of: number): Entry => ({
  kind: "marker",
  seq: seq(at),
  epoch: epoch(of),
  appendedAtMs: 0,
});
const data = (at: number, of: number): Entry => ({
  kind: "data",
  seq: seq(at),
  epoch: epoch(of),
  appendedAtMs: 0,
  key: "k",
  payload: new TextEncoder().encode(`${(appended += 1)}`),
});

class World {
  readonly rig: Rig;
  readonly region = new Region();
  readonly conductor: RegionConductor;
  constructor(rig: Rig, Author: typeof RegionConductor) {
    this.rig = rig;
    this.conductor = new Author(this.region);
  }

  /** The model at version 1, with `thing/a` bound from epoch 2 (candidate p1) and replaced at epoch 3 (p2). */
  static async open(
    bindings: Readonly<Record<string, unknown>> = {},
    Author: typeof RegionConductor = RegionConductor,
  ): Promise<World> {
    const rig = await Rig.open();
    const world = new World(rig, Author);
    rig.control.seed({});
    await world.bind("none", bindings);
    await rig.mark("none", []);
    await rig.start(world.conductor);
    return world;
  }

  /** What other conductors publish. */
  async bind(candidate: string, bindings: Readonly<Record<string, unknown>>): Promise<void> {
    const rows = Object.entries(bindings).map(([entity, content]) => ({
      model,
      entity: entity as EntityIdentity,
      candidate: candidateId(candidate),
      hash: hashOf(JSON.stringify(content)),
      content: JSON.stringify(content),
    }));
    await this.rig.bindings.putBindings(rows, this.rig.signal);
  }

  async lane(
    name: string,
    rows: readonly Entry[],
    more: { stream?: EntityIdentity; derived?: LaneInfo["derived"] } = {},
  ): Promise<LaneId> {
    const id = laneId(name);
    const { lanes, signal } = this.rig;
    const info = { model, id, stream: FLIGHTS, writer, registeredAtMs: 0, ...more } as LaneInfo;
    await lanes.registerLane(info, signal);
    await this.append(id, rows);
    return id;
  }

  async append(lane: LaneId, entries: readonly Entry[]): Promise<void> {
    if (entries.length > 0) await this.rig.lanes.append(model, [{ lane, entries }], this.rig.signal);
  }

  async heard(commandId: string): Promise<void> {
    await until(() => expect(this.rig.control.answersTo(commandId)).not.toEqual([]));
  }

  async ready(
    id: string,
    things: Readonly<Record<string, unknown>>,
    more: { restoresVersion?: number } = {},
    wayBack = false,
  ): Promise<Proposal> {
    const { control } = this.rig;
    const changes = Object.fromEntries(Object.entries(things).map(([name, spec]) => [`thing/${name}`, spec]));
    const proposal = control.propose(id, { changes, ...more });
    await control.review(proposal, { wayBack });
    await this.heard(`${id}.review`);
    await control.prepare(proposal);
    await this.heard(`${id}.prepare`);
    return proposal;
  }

  async commit(proposal: Proposal, removed: readonly string[] = [], armed = false): Promise<void> {
    const { control } = this.rig;
    await control.commit(proposal);
    await this.rig.mark(proposal.id, [FLIGHTS], removed);
    await control.settle(proposal, { committed: true, armed });
    await this.heard(`${proposal.id}.settle`);
  }

  async replaced(): Promise<void> {
    await this.commit(await this.ready("p1", { a: { n: 1 } }));
    await this.commit(await this.ready("p2", { a: { n: 2 } }));
  }

  async untilRetired(id: string): Promise<void> {
    await until(async () => expect(await this.rig.rowsOf(id)).toEqual([]));
  }

  /** Two whole turns of the retirer, and it is still there. */
  async expectKept(id: string): Promise<void> {
    const before = this.looks;
    await until(async () => {
      const gone = (await this.rig.rowsOf(id)).length === 0;
      if (!gone) expect(this.looks).toBeGreaterThan(before + 2);
    });
    expect(await this.rig.rowsOf(id)).not.toEqual([]);
    expect(this.conductor.calls.filter((call) => call.startsWith("retire"))).toEqual([]);
  }

  get looks(): number {
    return this.rig.looks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
  }
}

describe("retire", () => {
  it("removes a replaced binding, and what it stood on, when no lane needs it", async () => {
    await using world = await World.open();
    await world.lane("l", [marker(1, 3)]);
    await world.replaced();
    await world.untilRetired("p1");
    expect(await world.rig.rowsOf("p2")).toEqual(["thing/a@2"]);
    expect([...world.region.objects.keys()]).toEqual(["object-n2"]);
    expect(await world.rig.lanes.readFloor(model, world.rig.signal)).toBe(3);
  });

  it("removes what a deleted entity had, and again after a restart in the middle", async () => {
    await using world = await World.open();
    await world.commit(await world.ready("p1", { a: { n: 1 } }));
    await world.rig.stop();
    await world.rig.start(world.conductor);
    await world.commit(await world.ready("p2", { a: undefined }), ["thing/a@2"]);
    await world.untilRetired("p1");
    expect(world.region.objects.size).toBe(0);
  });

  it("goes on where the outside refuses one delete: with others' bindings, and the next change of the same", async () => {
    await using world = await World.open();
    let refuses = true;
    let refused = 0;
    world.region.beforeDelete = async (name) => {
      if (name !== "object-n1" || !refuses) return Promise.resolve();
      refused += 1;
      throw new Error("somebody's alias names it");
    };
    await world.commit(await world.ready("p1", { a: { n: 1 }, b: { n: 5 } }));
    await world.commit(await world.ready("p2", { a: { n: 2 }, b: { n: 6 } }));
    await until(() => expect([...world.region.objects.keys()]).not.toContain("object-n5"));
    await until(() => expect(refused).toBeGreaterThan(0));
    const lagging = (): number | undefined => world.rig.running?.status().get(model)?.lagging;
    await until(() => expect(lagging()).toBe(1));
    await world.commit(await world.ready("p3", { a: { n: 3 } }));
    refuses = false;
    await world.untilRetired("p1");
    await until(() => expect(lagging()).toBe(0));
    expect([...world.region.objects.keys()]).not.toContain("object-n1");
  });

  it("K4: lets go of what a binding stood on, also when the process dies as its row goes", async () => {
    await using world = await World.open();
    const { bindings } = world.rig;
    const remove = bindings.deleteBinding.bind(bindings);
    let died = false;
    bindings.deleteBinding = async (...args) => {
      await remove(...args);
      died = true;
      throw new Error("the process is gone");
    };
    await world.replaced();
    await until(() => expect(died).toBe(true));
    await world.rig.stop();
    bindings.deleteBinding = remove;
    await world.rig.start(world.conductor);
    // What the first one stood on is made again, and goes with who uses it now.
    await world.commit(await world.ready("p3", { a: { n: 1 } }));
    await world.commit(await world.ready("p4", { a: { n: 2 } }));
    await world.untilRetired("p3");
    expect([...world.region.objects.keys()]).toEqual(["object-n2"]);
  });

  it("I13: keeps what a message within retention needs for a replay", async () => {
    await using world = await World.open();
    const lane = await world.lane("l", [marker(1, 2), data(2, 2), marker(3, 3), data(4, 3)]);
    await world.replaced();
    await world.expectKept("p1");
    await world.rig.lanes.trim(model, lane, seq(3), world.rig.signal);
    await world.untilRetired("p1");
  });

  it("I13: keeps what a query may have used whose binding is lost, and not what one used that is retired", async () => {
    const flow = { from: "flights", to: "out" };
    await using world = await World.open({ [QUERY]: { ...flow, tables: ["a"] } }, LookedUp);
    const { bindings, lanes, signal } = world.rig;
    await world.lane("l", [marker(1, 2), data(2, 2), marker(3, 3), marker(4, 4)]);
    await world.commit(await world.ready("p1", { a: { n: 1 } }));
    await bindings.deleteBinding(model, QUERY, candidateId("none"), signal);
    const p2 = await world.ready("p2", { b: { n: 1 } });
    await world.bind("p2", { [QUERY]: { ...flow, tables: [] } });
    await world.commit(p2);
    await world.commit(await world.ready("p3", { a: { n: 2 } }));
    await world.expectKept("p1");
    // Whoever retired it had raised the floor to the epoch that replaced it.
    await lanes.raiseFloor(model, epoch(3), signal);
    await world.untilRetired("p1");
  });

  it("R7: keeps what a lane that has not crossed may still need, and goes by its rows", async () => {
    await using world = await World.open();
    const lane = await world.lane("l", [marker(1, 2)]);
    await world.replaced();
    await world.expectKept("p1");
    await world.append(lane, [marker(2, 3)]);
    await world.untilRetired("p1");
  });

  it("R7: takes an ended lane to have crossed", async () => {
    await using world = await World.open();
    const lane = await world.lane("l", [marker(1, 2)]);
    await world.replaced();
    await world.expectKept("p1");
    await world.rig.lanes.endLane(model, lane, seq(1), world.rig.signal);
    await world.untilRetired("p1");
  });

  it("R7: waits for each query that reads a lane, by the marker in its own lane, below the end of that", async () => {
    const query = "query/q@1" as EntityIdentity;
    const stream = "stream/out@1" as EntityIdentity;
    await using world = await World.open({
      [FLIGHTS]: {},
      [stream]: {},
      [query]: { from: "flights", to: "out" },
    });
    const lane = await world.lane("l", [marker(1, 2), marker(2, 3)]);
    await world.replaced();
    await world.expectKept("p1");
    const derived = { query, inputLane: lane };
    // A zombie's marker behind the seal of its lane.
    const sealed = await world.lane("d1", [marker(1, 2), marker(2, 3)], { stream, derived });
    await world.rig.lanes.endLane(model, sealed, seq(1), world.rig.signal);
    await world.expectKept("p1");
    await world.lane("d2", [marker(1, 2), marker(2, 3)], { stream, derived });
    await world.untilRetired("p1");
  });

  it("R9: raises the floor, waits, and looks again: a lane that opened late is seen", async () => {
    await using world = await World.open();
    await world.lane("l", [marker(1, 3)]);
    const { lanes } = world.rig;
    const raise = lanes.raiseFloor.bind(lanes);
    let late: LaneId | undefined;
    // A writer that had read the ledger before epoch 3 writes its first rows behind the first look.
    lanes.raiseFloor = async (...args) => {
      late ??= await world.lane("late", [marker(1, 2), data(2, 2)]);
      await raise(...args);
    };
    await world.replaced();
    await until(() => expect(late).toBeDefined());
    await world.expectKept("p1");
    const name = late as LaneId;
    await lanes.endLane(model, name, seq(2), world.rig.signal);
    await lanes.trim(model, name, seq(3), world.rig.signal);
    await world.untilRetired("p1");
  });

  it("R9: removes nothing before twice the writers' lease has passed behind the floor", async () => {
    await using world = await World.open();
    await world.lane("l", [marker(1, 3)]);
    const { lanes, bindings } = world.rig;
    const times: Record<string, number> = {};
    const raise = lanes.raiseFloor.bind(lanes);
    lanes.raiseFloor = async (...args) => {
      await raise(...args);
      times["floor"] ??= performance.now();
    };
    const remove = bindings.deleteBinding.bind(bindings);
    bindings.deleteBinding = (...args) => {
      times["delete"] ??= performance.now();
      return remove(...args);
    };
    await world.replaced();
    await world.untilRetired("p1");
    expect((times["delete"] ?? 0) - (times["floor"] ?? 0)).toBeGreaterThanOrEqual(39);
  });

  /** `b` may go and does, so `a` has been looked at. */
  const onlyKept = async (world: World): Promise<void> => {
    await until(async () => expect((await world.rig.rowsOf("p1")).length).toBeLessThan(2));
    expect(await world.rig.rowsOf("p1")).toEqual(["thing/a@2"]);
  };

  it("K4: keeps what a rollback that is being prepared wants, also when it was about to go", async () => {
    await using world = await World.open();
    await world.lane("l", [marker(1, 3)]);
    const { lanes } = world.rig;
    const raise = lanes.raiseFloor.bind(lanes);
    const listClaims = lanes.listClaims.bind(lanes);
    let raised = false;
    let rollback: Proposal | undefined;
    lanes.raiseFloor = async (...args) => {
      await raise(...args);
      raised = true;
    };
    // Between the last look and the delete, version 2 is to be restored, and its conductor says ready.
    lanes.listClaims = async (...args) => {
      const claims = await listClaims(...args);
      if (raised) rollback ??= await world.ready("p3", { a: { n: 1 } }, { restoresVersion: 2 });
      return claims;
    };
    await world.commit(await world.ready("p1", { a: { n: 1 }, b: { n: 1 } }));
    await world.commit(await world.ready("p2", { a: { n: 2 }, b: { n: 2 } }));
    await onlyKept(world);
    expect([...world.region.objects.keys()].toSorted()).toEqual(["object-n1", "object-n2"]);
    await world.rig.control.settle(rollback as Proposal, { committed: false });
    await world.heard("p3.settle");
    await world.untilRetired("p1");
    expect([...world.region.objects.keys()]).toEqual(["object-n2"]);
  });

  it("K4: keeps what the way back of an unconfirmed commit needs, until it is disarmed", async () => {
    await using world = await World.open();
    const lane = await world.lane("l", [marker(1, 2)]);
    await world.commit(await world.ready("p1", { a: { n: 1 }, b: { n: 1 } }));
    await world.commit(await world.ready("p2", { b: { n: 2 } }));
    const p3 = await world.ready("p3", { a: { n: 3 } }, {}, true);
    await world.commit(p3, [], true);
    await world.append(lane, [marker(2, 4)]);
    await onlyKept(world);
    await world.rig.control.settle(p3, { committed: true, disarm: true });
    await world.heard("p3.disarm");
    await world.untilRetired("p1");
  });

  it("K4: keeps for the way back what another conductor has from the commit on, until it is disarmed", async () => {
    await using world = await World.open({}, Leaving);
    const lane = await world.lane("l", [marker(1, 2)]);
    await world.commit(await world.ready("p1", { a: { n: 1 }, b: { n: 1 } }));
    const { control } = world.rig;
    // It is left to another one, so nothing is prepared, and the accept carries ready.
    const p2 = control.propose("p2", { changes: { "thing/a": { n: 2, elsewhere: true } } });
    await control.review(p2, { wayBack: true });
    await world.heard("p2.review");
    await world.bind("p2", { "thing/a@2": { n: 2, elsewhere: true } });
    await world.commit(p2, [], true);
    await world.commit(await world.ready("p3", { b: { n: 3 } }));
    await world.append(lane, [marker(2, 4)]);
    await onlyKept(world);
    await control.settle(p2, { committed: true, disarm: true });
    await world.heard("p2.disarm");
    await until(async () => expect(world.conductor.calls).toContain("retire a#p1"));
    await world.untilRetired("p1");
  });
});
