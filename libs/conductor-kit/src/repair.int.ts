/** Bindings that the data plane has lost: who made them makes them again, the same to the byte, or not at all. */
import { laneId, seq, writerId, type Entry } from "@greco/domain/lane";
import { candidateId, epoch, type EntityIdentity } from "@greco/domain/model";
import { afterEach, beforeEach, expect, it } from "vitest";
import { model, Region, RegionConductor, Rig, until } from "./testing/index.ts";

let rig: Rig;
let region: Region;
let conductor: RegionConductor;

beforeEach(async () => {
  rig = await Rig.open();
  region = new Region();
  conductor = new RegionConductor(region);
  rig.control.seed({});
  await rig.mark("none", []);
  await rig.start(conductor);
});
afterEach(() => rig[Symbol.asyncDispose]());

const thing = (name: string, version: number): EntityIdentity => `thing/${name}@${version}` as EntityIdentity;

async function commit(id: string, things: Readonly<Record<string, unknown>>): Promise<void> {
  const { control } = rig;
  const changes = Object.fromEntries(Object.entries(things).map(([name, spec]) => [`thing/${name}`, spec]));
  const proposal = control.propose(id, { changes });
  const heard = (command: string) =>
    until(() => expect(control.answersTo(`${id}.${command}`)).not.toEqual([]));
  await control.review(proposal);
  await heard("review");
  await control.prepare(proposal);
  await heard("prepare");
  await control.commit(proposal);
  await rig.mark(id, ["stream/flights@1"]);
  await control.settle(proposal, { committed: true });
  await heard("settle");
}

/** A message of that epoch, which is kept and may be read again. */
async function replayable(at: number): Promise<void> {
  const { lanes, signal } = rig;
  const id = laneId("l");
  const stream = "stream/flights@1" as EntityIdentity;
  await lanes.registerLane({ model, id, stream, writer: writerId("w"), registeredAtMs: 0 }, signal);
  const of = { epoch: epoch(at), appendedAtMs: 0 };
  const entries: readonly Entry[] = [
    { ...of, kind: "marker", seq: seq(1) },
    { ...of, kind: "data", seq: seq(2), key: "k", payload: Uint8Array.of(1) },
  ];
  await lanes.append(model, [{ lane: id, entries }], signal);
}

const lose = (entity: EntityIdentity, id: string) =>
  rig.bindings.deleteBinding(model, entity, candidateId(id), rig.signal);
const contentOf = async (entity: EntityIdentity, id: string): Promise<string | undefined> =>
  (await rig.bindings.getBinding(model, entity, candidateId(id), rig.signal))?.content;

let asked = 0;
async function ask(...bindings: readonly (readonly [entity: string, candidate: string])[]): Promise<void> {
  const value = { bindings: bindings.map(([entity, candidate]) => ({ entity, candidate })) };
  await rig.control.announce(`repair.${(asked += 1)}`, [], { case: "repair", value });
}

/** Repairs are made in order: when this one is there, those that were asked for before have had their turn. */
async function untilRepaired(entity: EntityIdentity, id: string): Promise<void> {
  await until(async () => expect(await contentOf(entity, id)).toBeDefined());
}

it("R6: a lost binding is there again, with what it held, also when its entity has changed since", async () => {
  await commit("p1", { a: { n: 1 }, b: { n: 5 } });
  await replayable(2);
  await commit("p2", { b: { n: 6 } });
  const before = await contentOf(thing("b", 2), "p1");
  await lose(thing("a", 2), "p1");
  await lose(thing("b", 2), "p1");
  await ask(["thing/a@2", "p1"], ["thing/b@2", "p1"]);
  await untilRepaired(thing("a", 2), "p1");
  await untilRepaired(thing("b", 2), "p1");
  expect(await contentOf(thing("a", 2), "p1")).toBe('{"n":1}');
  expect(await contentOf(thing("b", 2), "p1")).toBe(before);
  expect(rig.control.answers.filter(({ commandId }) => commandId.startsWith("repair"))).toEqual([]);
});

it("R6: what would be another content than the ledger names is not written", async () => {
  await commit("p1", { a: { n: 1 } });
  await commit("p2", { b: { n: 2 } });
  await lose(thing("a", 2), "p1");
  await lose(thing("b", 3), "p2");
  // A newer conductor, which makes something else of the same.
  const { prepare } = conductor;
  conductor.prepare = async (preparation) => {
    const made = await prepare.call(conductor, preparation, rig.signal);
    return made.map((each) => (each.entity === "thing/a@2" ? { ...each, content: '{"n":1,"v":2}' } : each));
  };
  await ask(["thing/a@2", "p1"], ["thing/b@3", "p2"]);
  await untilRepaired(thing("b", 3), "p2");
  expect(await contentOf(thing("a", 2), "p1")).toBeUndefined();
});

it("puts what the ledger names in the place of what it does not", async () => {
  await commit("p1", { a: { n: 1 } });
  const row = await rig.bindings.getBinding(model, thing("a", 2), candidateId("p1"), rig.signal);
  await lose(thing("a", 2), "p1");
  if (row === undefined) throw new Error("there is no binding");
  await rig.bindings.putBindings([{ ...row, content: '{"n":1' }], rig.signal);
  await ask(["thing/a@2", "p1"]);
  await until(async () => expect(await contentOf(thing("a", 2), "p1")).toBe('{"n":1}'));
});

it("I13: what was retired does not come back, whoever asks", async () => {
  // Its region is the binding store alone.
  conductor.prepare = ({ claimed }) =>
    Promise.resolve(
      claimed.map(({ identity, after }) => ({ entity: identity, content: after?.specJson ?? "" })),
    );
  await commit("p1", { a: { n: 1 } });
  await commit("p2", { a: { n: 2 }, b: { n: 3 } });
  await until(async () => expect(await contentOf(thing("a", 2), "p1")).toBeUndefined());
  expect(await rig.lanes.readFloor(model, rig.signal)).toBe(epoch(3));
  const written: string[] = [];
  const put = rig.bindings.putBindings.bind(rig.bindings);
  rig.bindings.putBindings = (rows, signal) => {
    written.push(...rows.map(({ entity }) => entity));
    return put(rows, signal);
  };
  await lose(thing("b", 3), "p2");
  await ask(["thing/a@2", "p1"], ["thing/b@3", "p2"]);
  await untilRepaired(thing("b", 3), "p2");
  expect(written).toEqual(["thing/b@3"]);
});

it("makes nothing outside that no binding keeps (K1, K4), and nothing for who asks for what never was", async () => {
  await commit("p1", { a: { n: 1 } });
  await commit("p2", { b: { n: 2 } });
  const objects = new Map(region.objects);
  await lose(thing("a", 2), "p1");
  await lose(thing("b", 3), "p2");
  const { prepare } = conductor;
  conductor.prepare = async (preparation) => {
    if (preparation.candidate === "p1") await preparation.intend(["object-unheard-of"]);
    return await prepare.call(conductor, preparation, rig.signal);
  };
  await ask(["thing/a@2", "p1"], ["thing/a@2", "p9"], ["thing/never@2", "p1"], ["stream/s@1", "p1"]);
  await ask(["not a name", "p1"], ["thing/b@3", "p2"]);
  await ask(["thing/b@3", "p2"]);
  await untilRepaired(thing("b", 3), "p2");
  expect(await contentOf(thing("a", 2), "p1")).toBeUndefined();
  expect(region.objects).toEqual(objects);
  expect(await rig.rowsOf("p1")).toEqual([]);
});

it("is retired like any other once it is there again", async () => {
  await commit("p1", { a: { n: 1 } });
  await lose(thing("a", 2), "p1");
  await commit("p2", { a: { n: 2 } });
  await ask(["thing/a@2", "p1"]);
  await until(() => expect(conductor.calls).toContain("retire a#p1"));
  await until(async () => expect(await rig.rowsOf("p1")).toEqual([]));
});
