/** Looks outside that the control plane asks for: what differs is told, and mended where that is asked. */
import { once } from "node:events";
import type { Inspected } from "@greco/contracts/greco/commit/v1/commit";
import { Inspect_Mode as Mode } from "@greco/contracts/greco/conductor/v1/conductor";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { candidateId, epoch, type EntityIdentity } from "@greco/domain/model";
import { createMetrics } from "@greco/service-kit";
import { afterEach, describe, expect, it } from "vitest";
import type { Drift } from "./conductor.ts";
import type { ConductorLimits } from "./limits.ts";
import { observeConductor } from "./metrics.ts";
import {
  model,
  Region,
  RegionConductor,
  Rig,
  until,
  WatchfulConductor,
  type Proposal,
} from "./testing/index.ts";

let rig: Rig;
let region: Region;
let conductor: WatchfulConductor;
afterEach(() => rig[Symbol.asyncDispose]());

async function start(limits: Partial<ConductorLimits> = {}, plain = false): Promise<void> {
  rig = await Rig.open({ limits });
  region = new Region();
  conductor = new WatchfulConductor(region);
  rig.control.seed({});
  await rig.mark("none", []);
  await rig.start(plain ? new RegionConductor(region) : conductor);
}

const answered = (command: string) =>
  until(() => {
    const answers = rig.control.answersTo(command);
    expect(answers).not.toEqual([]);
    return answers;
  });

async function ready(id: string, things: Readonly<Record<string, unknown>>): Promise<Proposal> {
  const { control } = rig;
  const changes = Object.fromEntries(Object.entries(things).map(([name, spec]) => [`thing/${name}`, spec]));
  const proposal = control.propose(id, { changes });
  await control.review(proposal);
  await answered(`${id}.review`);
  await control.prepare(proposal);
  await answered(`${id}.prepare`);
  return proposal;
}

async function decide(proposal: Proposal): Promise<void> {
  const { control } = rig;
  await control.commit(proposal);
  await rig.mark(proposal.id, ["stream/flights@1"]);
  await control.settle(proposal, { committed: true });
  await answered(`${proposal.id}.settle`);
}

const commit = async (id: string, things: Readonly<Record<string, unknown>>): Promise<void> =>
  decide(await ready(id, things));

const askFor = (id: string, mode: Mode, more: object = {}): Promise<void> =>
  rig.control.announce(id, ["c"], { case: "inspect", value: { mode, ...more } });

let asked = 0;
async function ask(mode: Mode, more: object = {}): Promise<Inspected> {
  const id = `inspect.r.${(asked += 1)}`;
  await askFor(id, mode, more);
  return inspectedOf(await answered(id));
}

function inspectedOf(answers: Awaited<ReturnType<typeof answered>>): Inspected {
  const last = answers.at(-1)?.answer;
  if (last?.case !== "inspected") throw new Error(`answered by ${last?.case ?? "nothing"}`);
  return last.value;
}

/** A message of epoch 2, which may be replayed. */
async function retainedRow(): Promise<void> {
  const { lanes, signal } = rig;
  const lane = laneId("l");
  const stream = "stream/flights@1" as EntityIdentity;
  await lanes.registerLane({ model, id: lane, stream, writer: writerId("w"), registeredAtMs: 0 }, signal);
  const row = (at: number) => ({ seq: seq(at), epoch: epoch(2), appendedAtMs: 0 });
  const entries = [
    { kind: "marker", ...row(1) },
    { kind: "data", ...row(2), key: "k", payload: new Uint8Array([1]) },
    { kind: "marker", ...row(3), epoch: epoch(3) },
  ] as const;
  await lanes.append(model, [{ lane, entries }], signal);
}

const entity = (name: string): string => `models/m/entities/thing/${name}`;
const gone = (name: string, object: string, mended = false): object => ({
  ...{ entity: entity(name), object, mended, reason: "OBJECT_GONE" },
  ...{ message: `${object} is gone`, remedy: "greco repair" },
});

describe("drift", () => {
  it("is what differs from the newest epoch; to look changes nothing, and is no promise", async () => {
    await start();
    await commit("p1", { a: { n: 1 }, b: { n: 2 } });
    await commit("p2", { b: { n: 3 } });
    // What nothing needs any more is retired beside it.
    const promised = async () => (await rig.journal()).filter(({ type }) => type !== "retired");
    const journal = await promised();
    expect(await ask(Mode.DRIFT)).toMatchObject({ supported: true, version: 3n, drifts: [], driftCount: 0n });
    await region.delete("object-n3");
    expect(await ask(Mode.DRIFT)).toMatchObject({
      ...{ supported: true, version: 3n, drifts: [gone("b", "object-n3")], driftCount: 1n },
      ...{ changing: [], failure: "" },
    });
    expect(conductor.calls.filter((call) => call.startsWith("inspect"))).toEqual([
      "inspect v3 thing/a@2#p1 thing/b@2#p2",
      "inspect v3 thing/a@2#p1 thing/b@2#p2",
    ]);
    expect(region.objects.has("object-n3")).toBe(false);
    expect(await promised()).toEqual(journal);
  });

  it("is also of what older epochs need, as long as a lane or a replay does; mending makes it again, and nothing else", async () => {
    await start();
    await retainedRow();
    await commit("p1", { a: { n: 1 } });
    await commit("p2", { a: { n: 2 } });
    const views: unknown[] = [];
    conductor.beforeLook = async ({ superseded }, signal) => {
      for (const { entity, candidate, version, view } of superseded) {
        const [thing] = (await view(signal)).ofKind("thing");
        views.push(`${entity}#${candidate} of v${version}: ${thing?.specJson}`);
      }
    };
    await region.delete("object-n1");
    expect((await ask(Mode.DRIFT)).drifts).toMatchObject([gone("a", "object-n1")]);
    expect(views).toEqual(['thing/a@2#p1 of v2: {"n":1}']);
    expect((await ask(Mode.MEND)).drifts).toMatchObject([gone("a", "object-n1", true)]);
    expect([...region.objects.keys()].toSorted()).toEqual(["object-n1", "object-n2"]);
    expect((await ask(Mode.DRIFT)).drifts).toEqual([]);
  });

  it("is of its own bindings, and comes with the model of that version", async () => {
    await start();
    Object.assign(conductor, { owns: (content: string) => content !== '{"n":2}' });
    const views: unknown[] = [];
    conductor.beforeLook = async ({ view }) => {
      views.push(view.version, [...view.ofKind("thing")].map(({ specJson }) => specJson).toSorted());
      return Promise.resolve();
    };
    await commit("p1", { a: { n: 1 }, b: { n: 2 } });
    region.objects.clear();
    expect((await ask(Mode.DRIFT)).drifts).toMatchObject([gone("a", "object-n1")]);
    expect(views).toEqual([2, ['{"n":1}', '{"n":2}']]);
  });

  it("is not asked of a conductor that has nothing to look at: it says so", async () => {
    await start({}, true);
    for (const mode of [Mode.DRIFT, Mode.MEND, Mode.ACCESS, 99 as Mode])
      expect(await ask(mode)).toMatchObject({ supported: false, drifts: [], failure: "" });
  });

  it("is told to a limit, and counted beyond it; a huge text does not keep the others away", async () => {
    await start({ driftsMax: 2, driftTextChars: 10 });
    await commit("p1", { a: { n: 1 }, b: { n: 2 }, c: { n: 3 } });
    region.objects.clear();
    conductor.inspect = ({ bindings }) =>
      Promise.resolve(
        bindings.map((): Drift => ({
          ...{ entity: "", object: "😀".repeat(4_000), reason: "X".repeat(99), message: "short", remedy: "" },
        })),
      );
    const { drifts, driftCount } = await ask(Mode.DRIFT);
    expect([drifts.length, driftCount]).toEqual([2, 3n]);
    // Cut between characters, and where one would be cut in two.
    expect(drifts[0]).toMatchObject({
      object: "😀😀😀😀\ufffd…",
      reason: `${"X".repeat(63)}…`,
      message: "short",
    });
  });

  it("names a binding that the data plane has lost, and mends it", async () => {
    await start();
    await commit("p1", { a: { n: 1 }, b: { n: 2 } });
    const lost = { entity: entity("a"), reason: "BINDING_MISSING" };
    await rig.bindings.deleteBinding(model, "thing/a@2" as EntityIdentity, candidateId("p1"), rig.signal);
    expect((await ask(Mode.DRIFT)).drifts).toMatchObject([{ ...lost, mended: false }]);
    expect((await ask(Mode.MEND)).drifts).toMatchObject([{ ...lost, mended: true }]);
    expect(await rig.rowsOf("p1")).toEqual(["thing/a@2", "thing/b@2"]);
    expect((await ask(Mode.DRIFT)).drifts).toEqual([]);
  });

  it("is not told where it could not be looked for: why not is", async () => {
    await start();
    conductor.beforeLook = () => Promise.reject(new Error("the cloud is away"));
    expect(await ask(Mode.DRIFT)).toMatchObject({
      supported: true,
      drifts: [],
      failure: "the cloud is away",
    });
    conductor.beforeLook = async (_inForce, signal) => {
      if (!signal.aborted) await once(signal, "abort");
      signal.throwIfAborted();
    };
    const { failure } = await ask(Mode.DRIFT, { remaining: { seconds: 0n, nanos: 1 } });
    expect(failure).toBe("it took longer than the 0.001 s that it was given");
    conductor.beforeLook = () => Promise.resolve();
    expect(await ask(Mode.DRIFT)).toMatchObject({ drifts: [], failure: "" });
  });
});

describe("what a proposal is changing", () => {
  it("K5: is neither told as drift nor mended, until it is settled", async () => {
    await start();
    await commit("p1", { a: { n: 1 }, b: { n: 2 } });
    const p2 = await ready("p2", { a: { n: 3 } });
    await region.delete("object-n1");
    await region.delete("object-n2");
    expect(await ask(Mode.DRIFT)).toMatchObject({
      ...{ drifts: [gone("b", "object-n2")], changing: [entity("a")], changingCount: 1n },
    });
    expect(await ask(Mode.MEND)).toMatchObject({
      ...{ drifts: [gone("b", "object-n2", true)], changing: [entity("a")] },
    });
    expect([...region.objects.keys()].toSorted()).toEqual(["object-n2", "object-n3"]);
    await decide(p2);
    // Until it is retired, a lane may need what is superseded.
    await until(async () => expect(await rig.rowsOf("p1")).toEqual(["thing/b@2"]));
    expect(await ask(Mode.DRIFT)).toMatchObject({ drifts: [], changing: [], version: 3n });
  });

  it("is left out also where the change came while the conductor looked", async () => {
    await start();
    await commit("p1", { a: { n: 1 }, b: { n: 2 }, c: { n: 3 } });
    region.objects.clear();
    const [looks, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    conductor.beforeLook = async () => {
      looks.resolve();
      await goesOn.promise;
    };
    await askFor("inspect.r.during", Mode.DRIFT);
    await looks.promise;
    await commit("p2", { a: { n: 4 } });
    await ready("p3", { b: { n: 5 } });
    goesOn.resolve();
    expect(inspectedOf(await answered("inspect.r.during"))).toMatchObject({
      ...{ version: 2n, drifts: [gone("c", "object-n3")], changing: [entity("a"), entity("b")] },
    });
  });
});

describe("what is mended", () => {
  it("is what differs, of it alone, and is told", async () => {
    await start();
    await commit("p1", { a: { n: 1 }, b: { n: 2 } });
    await region.delete("object-n1");
    expect(await ask(Mode.MEND)).toMatchObject({ version: 2n, drifts: [gone("a", "object-n1", true)] });
    expect(region.objects.get("object-n1")).toBe("mended");
    expect(conductor.calls.slice(-3)).toEqual([
      "inspect v2 thing/a@2#p1 thing/b@2#p1",
      "mend v2 thing/a@2#p1",
      "mended",
    ]);
    expect((await ask(Mode.MEND)).drifts).toEqual([]);
    expect(conductor.calls.at(-1)).toBe("inspect v2 thing/a@2#p1 thing/b@2#p1");
  });

  it("K4: is locked: a prepare of the same entity waits for its end, one of another entity does not", async () => {
    await start();
    const { control } = rig;
    await commit("p1", { a: { n: 1 }, b: { n: 2 } });
    await region.delete("object-n1");
    const [mends, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    // Also where an assertion fails: the conductor could not stop.
    using stack = new DisposableStack();
    stack.defer(() => goesOn.resolve());
    region.beforeCreate = async (name) => {
      if (name !== "object-n1") return;
      mends.resolve();
      await goesOn.promise;
    };
    await askFor("inspect.r.locked", Mode.MEND);
    await mends.promise;
    const p2 = control.propose("p2", { changes: { "thing/a": { n: 3 } } });
    await control.review(p2);
    await answered("p2.review");
    await control.prepare(p2);
    await ready("p3", { b: { n: 4 } });
    expect(conductor.calls).toContain("prepare p3");
    expect(conductor.calls).not.toContain("prepare p2");
    goesOn.resolve();
    await answered("p2.prepare");
    const inOrder = conductor.calls.filter((call) => call === "mended" || call === "prepare p2");
    expect(inOrder).toEqual(["mended", "prepare p2"]);
    expect(inspectedOf(await answered("inspect.r.locked")).drifts).toMatchObject([
      gone("a", "object-n1", true),
    ]);
  });
});

it("is looked for now and then without being asked: an operator sees how much differs", async () => {
  await start({ driftEveryMs: 5 });
  await commit("p1", { a: { n: 1 }, b: { n: 2 } });
  await region.delete("object-n1");
  const metrics = createMetrics(rig.log);
  if (rig.running === undefined) throw new Error("it does not run");
  using stack = new DisposableStack();
  stack.defer(observeConductor(metrics, rig.running));
  const shows = (differences: number) =>
    until(async () =>
      expect(await metrics.text()).toMatch(
        new RegExp(`^greco_conductor_drift\\{model="m"\\} ${differences}$`, "m"),
      ),
    );
  await shows(1);
  await ask(Mode.MEND);
  await shows(0);
});

describe("a command", () => {
  it("that is repeated gets the first answer, and nothing is done twice", async () => {
    await start();
    await commit("p1", { a: { n: 1 } });
    await region.delete("object-n1");
    const gate = Promise.withResolvers<void>();
    conductor.beforeLook = () => gate.promise;
    for (let turn = 0; turn < 3; turn++) await askFor("inspect.r.again", Mode.MEND);
    // Heard behind the repeats.
    await rig.control.review(rig.control.propose("p2", { changes: { "thing/b": { n: 2 } } }));
    await answered("p2.review");
    gate.resolve();
    const [first] = await answered("inspect.r.again");
    await region.delete("object-n1");
    // Told again while the first answer is still being sent, it needs no second one.
    const second = await until(async () => {
      await askFor("inspect.r.again", Mode.MEND);
      const answers = rig.control.answersTo("inspect.r.again");
      expect(answers.length).toBeGreaterThan(1);
      return answers[1];
    });
    expect(second?.answer).toEqual(first?.answer);
    expect(conductor.calls.filter((call) => call.startsWith("mend "))).toEqual(["mend v2 thing/a@2#p1"]);
    expect(region.objects.has("object-n1")).toBe(false);
  });

  it("that is heard long after its time, as at a restart, is nobody's wish any more", async () => {
    await start();
    await commit("p1", { a: { n: 1 } });
    await region.delete("object-n1");
    await askFor("inspect.r.old", Mode.MEND, { expireTime: { seconds: 1n } });
    expect((await ask(Mode.DRIFT)).drifts).toHaveLength(1);
    expect(rig.control.answersTo("inspect.r.old")).toEqual([]);
    expect(region.objects.has("object-n1")).toBe(false);
  });

  it("beyond those that may wait is left, and taken when it is repeated", async () => {
    await start({ inspectionsMax: 1 });
    const gate = Promise.withResolvers<void>();
    conductor.beforeLook = () => gate.promise;
    await askFor("inspect.r.one", Mode.DRIFT);
    await askFor("inspect.r.two", Mode.DRIFT);
    await rig.control.review(rig.control.propose("p1", { changes: { "thing/b": { n: 2 } } }));
    await answered("p1.review");
    gate.resolve();
    await answered("inspect.r.one");
    expect(rig.control.answersTo("inspect.r.two")).toEqual([]);
    await askFor("inspect.r.two", Mode.DRIFT);
    await answered("inspect.r.two");
  });
});

it("tells what its own access lacks, also before anything is committed", async () => {
  await start();
  const lacks = {
    entity: "",
    object: "role greco",
    reason: "NOT_ALLOWED",
    message: "no",
    remedy: "grant it",
  } as const;
  Object.assign(conductor, { checkAccess: () => Promise.resolve([lacks]) });
  expect(await ask(Mode.ACCESS)).toMatchObject({ supported: true, version: 0n, drifts: [lacks] });
});
