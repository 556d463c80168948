/** A conductor on the kit, told by a scripted control plane over gRPC, on the embedded stores. */
import { once } from "node:events";
import { candidateId, conductorId, entityKey } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import { describe, expect, it } from "vitest";
import { failsOnceAt, model, Region, RegionConductor, Rig, until, type Proposal } from "./testing/index.ts";

const answerCase = (
  answers: readonly { readonly answer: { readonly case: string | undefined } }[],
): unknown[] => answers.map((each) => each.answer.case);

/** The rig with a conductor of kind `thing` that has seen version 1: `thing/old`, `other/x`. */
async function started(options: Parameters<typeof Rig.open>[0] = {}) {
  const rig = await Rig.open(options);
  rig.control.seed({ "thing/old": { n: 1 }, "other/x": {} });
  await rig.mark("none", []);
  const region = new Region();
  const conductor = new RegionConductor(region);
  await rig.start(conductor);
  const heard = (commandId: string, count = 1) =>
    until(() => {
      const answers = rig.control.answersTo(commandId);
      expect(answers.length).toBeGreaterThanOrEqual(count);
      return answers;
    });
  const { control } = rig;
  /** Review, accept, prepare, ready. */
  const ready = async (proposal: Proposal) => {
    await control.review(proposal);
    await heard(`${proposal.id}.review`);
    await control.prepare(proposal);
    return (await heard(`${proposal.id}.prepare`))[0];
  };
  return { rig, region, conductor, heard, ready, control };
}

describe("a conductor", () => {
  it("is asked, prepares and releases, under one incarnation, by what it was told", async () => {
    const { rig, region, conductor, heard, control } = await started();
    await using _rig = rig;
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await control.review(p1);
    const [vote] = await heard("p1.review");
    expect(vote).toMatchObject({
      conductor: "conductors/c",
      incarnation: 1n,
      candidate: "p1",
      digest: p1.digest,
      answer: { case: "accept", value: { plan: { claims: ["models/m/entities/thing/a"] } } },
    });
    expect(region.objects.size).toBe(0);
    await control.prepare(p1);
    const [ready] = await heard("p1.prepare");
    expect(ready?.answer).toMatchObject({
      case: "ready",
      value: { bindings: [{ kind: "thing", entity: "a", createdVersion: 2n }] },
    });
    await control.commit(p1);
    await control.settle(p1, { committed: true });
    const [settled] = await heard("p1.settle");
    expect(settled?.answer).toMatchObject({ case: "settled", value: { committed: true } });
    expect(conductor.calls).toEqual(["review create thing/a@2", "prepare p1", "release p1"]);
    expect([...region.objects.keys()]).toEqual(["object-n2"]);
    expect(await rig.rowsOf("p1")).toEqual(["thing/a@2"]);
    expect(control.registrations).toMatchObject([
      { name: "conductors/c", kinds: ["thing"], incarnation: 1n },
    ]);
  });

  it("R6: has its bindings in the data plane when it says ready", async () => {
    const { rig, control, ready } = await started();
    await using _rig = rig;
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 }, "thing/old": { n: 3 } } });
    const rowsAtReady: Promise<readonly string[]>[] = [];
    control.refuse = ({ answer }) => {
      if (answer.case === "ready") rowsAtReady.push(rig.rowsOf("p1"));
    };
    const answer = await ready(p1);
    expect(await rowsAtReady[0]).toEqual(["thing/a@2", "thing/old@1"]);
    const hashes =
      answer?.answer.case === "ready" ? answer.answer.value.bindings.map((each) => each.hash) : [];
    const rows = await rig.bindings.listBindings(model, candidateId("p1"), rig.signal);
    expect(hashes).toEqual(rows.map((row) => row.hash));
  });

  it("accepts by itself, with ready, what affects none of its kinds", async () => {
    const { rig, conductor, heard, control } = await started();
    await using _rig = rig;
    await control.review(control.propose("p1", { changes: { "other/x": { n: 2 } } }));
    const [vote] = await heard("p1.review");
    expect(vote?.answer).toMatchObject({ case: "accept", value: { ready: { bindings: [] } } });
    expect(conductor.calls).toEqual([]);
  });

  it("I1: has its vote in the journal before it sends it", async () => {
    const { rig, conductor, heard, control } = await started();
    await using _rig = rig;
    const inJournal: Promise<unknown>[] = [];
    control.refuse = () => {
      inJournal.push(rig.journal().then((entries) => entries.at(-1)?.type));
    };
    conductor.vetoed = ({ affected }) =>
      affected.some((each) => each.key === entityKey("thing", "bad"))
        ? {
            severity: "error",
            entity: entityKey("thing", "bad"),
            fieldPath: "n",
            column: 2,
            reason: "NO",
            message: "no",
            remedy: "yes",
          }
        : undefined;
    await control.review(control.propose("p1", { changes: { "thing/a": { n: 2 } } }));
    await heard("p1.review");
    await control.review(control.propose("p2", { changes: { "thing/bad": { n: 2 } } }));
    const [veto] = await heard("p2.review");
    expect(await Promise.all(inJournal)).toEqual(["accepted", "vetoed"]);
    expect(veto?.answer).toMatchObject({
      case: "veto",
      value: {
        findings: [
          { entity: "models/m/entities/thing/bad", fieldPath: "n", column: 2, reason: "NO", remedy: "yes" },
        ],
      },
    });
  });

  it("plans without a trace: the same opinion, and nothing in the journal or the region", async () => {
    const { rig, region, heard, control } = await started();
    await using _rig = rig;
    const plan = { ...control.propose("plan", { changes: { "thing/a": { n: 2 } } }) };
    await control.review({ ...plan, candidate: { ...plan.candidate, id: "" } }, { planOnly: true });
    const [answer] = await heard("plan.review");
    expect(answer).toMatchObject({ candidate: "", answer: { case: "accept" } });
    expect([await rig.journal(), region.objects.size]).toEqual([[], 0]);
  });

  it("reviews a plan once, however often it is told of it meanwhile", async () => {
    const { rig, conductor, heard, control } = await started();
    await using _rig = rig;
    const gate = Promise.withResolvers<void>();
    const review = conductor.review.bind(conductor);
    conductor.review = async (request) => {
      const vote = await review(request);
      await gate.promise;
      return vote;
    };
    const plan = control.propose("plan", { changes: { "thing/a": { n: 2 } } });
    for (let turn = 0; turn < 3; turn++) await control.review(plan, { planOnly: true });
    // Answered without an opinion: by then the repeats were heard.
    await control.settle(control.propose("gone", { changes: {} }), { committed: false });
    await heard("gone.settle");
    await until(() => expect(conductor.calls.length).toBeGreaterThan(0));
    gate.resolve();
    await heard("plan.review");
    expect(conductor.calls.filter((call) => call.startsWith("review"))).toHaveLength(1);
  });

  it("reviews with a view equal to the base: by the chain, and by a snapshot where it broke", async () => {
    const { rig, conductor, heard, control } = await started();
    await using _rig = rig;
    await until(() => expect(control.snapshots).toEqual([1]));
    await control.commit(control.propose("x2", { changes: { "thing/b": { n: 2 } } }));
    await control.review(control.propose("p1", { changes: { "thing/b": undefined } }));
    await heard("p1.review");
    expect(control.snapshots).toEqual([1]);
    await control.commit(control.propose("x3", { changes: { "thing/c": { n: 3 } } }), true);
    await control.review(control.propose("p2", { changes: { "thing/c": { n: 4 } } }));
    await heard("p2.review");
    expect(control.snapshots).toEqual([1, 3]);
    expect(conductor.calls).toEqual(["review delete thing/b@2", "review update thing/c@3"]);
    expect(rig.running?.status().get(model)?.viewVersion).toBe(3);
  });

  it("joins by looking at the head as it is, and prepares all of its kinds", async () => {
    const { rig, conductor, heard, control } = await started();
    await using _rig = rig;
    await rig.stop();
    control.state = 1;
    await rig.start(conductor);
    const join = control.propose("join", { changes: {} });
    await control.review(join, { join: true });
    expect((await heard("join.review"))[0]?.answer).toMatchObject({
      case: "accept",
      value: { plan: { claims: ["models/m/entities/thing/old"] } },
    });
    await control.prepare(join);
    expect((await heard("join.prepare"))[0]?.answer).toMatchObject({
      value: { bindings: [{ entity: "old", createdVersion: 1n }] },
    });
    await control.commit(join);
    await control.settle(join, { committed: true });
    await heard("join.settle");
    await control.review(control.propose("p2", { changes: {} }), { join: true });
    expect((await heard("p2.review"))[0]?.answer).toMatchObject({ case: "accept", value: { ready: {} } });
  });

  it("publishes no binding for what runs as before", async () => {
    const { rig, heard, control, ready } = await started();
    await using _rig = rig;
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await ready(p1);
    await control.commit(p1);
    await rig.mark("p1", []);
    await control.settle(p1, { committed: true });
    await heard("p1.settle");
    const p2 = control.propose("p2", { changes: { "thing/b": { n: 2 } }, referring: ["thing/a"] });
    const answer = await ready(p2);
    expect(answer?.answer).toMatchObject({ case: "ready", value: { bindings: [{ entity: "b" }] } });
    expect(await rig.rowsOf("p2")).toEqual(["thing/b@3"]);
  });
});

describe("answers", () => {
  it("are sent again until they are accepted, and given up when they are refused for good", async () => {
    const { rig, heard, control } = await started();
    await using _rig = rig;
    let tries = 0;
    control.refuse = ({ commandId }) => {
      if (commandId === "p1.review" && (tries += 1) < 4) throw fault.unavailable("DOWN", "not now");
      if (commandId === "p2.review" && (tries += 1) > 0)
        throw fault.precondition("OLD_INCARNATION", "no", []);
    };
    await control.review(control.propose("p1", { changes: { "thing/a": { n: 2 } } }));
    await heard("p1.review");
    expect(tries).toBe(4);
    tries = 0;
    const p2 = control.propose("p2", { changes: { "thing/a": { n: 3 } } });
    await control.review(p2);
    await until(() => expect(tries).toBe(1));
    await control.review(p2);
    await until(() => expect(tries).toBe(2));
    expect(control.answersTo("p2.review")).toEqual([]);
  });

  it("are the first ones for a repeat, also after a restart", async () => {
    const { rig, conductor, heard, control, ready } = await started();
    await using _rig = rig;
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await ready(p1);
    await control.review(p1);
    await heard("p1.review", 2);
    await rig.stop();
    await rig.start(conductor);
    await control.review(p1);
    await control.prepare(p1);
    const votes = await heard("p1.review", 3);
    const readies = await heard("p1.prepare", 2);
    expect(votes.map((each) => each.answer)).toEqual([votes[0]?.answer, votes[0]?.answer, votes[0]?.answer]);
    expect(readies[1]?.answer).toEqual(readies[0]?.answer);
    expect(readies.map((each) => each.incarnation)).toEqual([1n, 2n]);
    expect(conductor.calls).toHaveLength(2);
  });
});

describe("undo", () => {
  it("K4: leaves what an epoch needs, though the candidate had intended it, too", async () => {
    const { rig, region, heard, control, ready } = await started();
    await using _rig = rig;
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await ready(p1);
    await control.commit(p1);
    await rig.mark("p1", []);
    await control.settle(p1, { committed: true });
    await heard("p1.settle");
    // Of the same content as a, so it stands on the same object; and one of its own.
    const p2 = control.propose("p2", { changes: { "thing/b": { n: 2 }, "thing/c": { n: 3 } } });
    await ready(p2);
    expect([...region.objects.keys()]).toEqual(["object-n2", "object-n3"]);
    await control.settle(p2, { committed: false });
    await heard("p2.settle");
    expect([...region.objects.keys()]).toEqual(["object-n2"]);
  });

  it("K4: of two that are owed for the same object, one takes it away", async () => {
    const { rig, region, heard, control, ready } = await started();
    await using _rig = rig;
    const [p1, p2] = ["p1", "p2"].map((id) => control.propose(id, { changes: { "thing/a": { n: 2 } } }));
    if (p1 === undefined || p2 === undefined) throw new Error("two were proposed");
    await ready(p1);
    await ready(p2);
    const gate = Promise.withResolvers<void>();
    region.beforeDelete = () => gate.promise;
    await control.settle(p1, { committed: false });
    await control.settle(p2, { committed: false });
    gate.resolve();
    await heard("p1.settle");
    await heard("p2.settle");
    expect([...region.objects.keys()]).toEqual([]);
  });

  it("K2: a late prepare finds the tombstone, also after a restart", async () => {
    const { rig, region, conductor, heard, control, ready } = await started();
    await using _rig = rig;
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await ready(p1);
    await control.settle(p1, { committed: false });
    await heard("p1.settle");
    expect([region.objects.size, await rig.rowsOf("p1")]).toEqual([0, []]);
    for (const restarted of [false, true]) {
      if (restarted) {
        await rig.stop();
        await rig.start(conductor);
      }
      await control.review(p1);
      await control.prepare(p1);
      // What comes behind it was handled, so it was, too.
      const next = control.propose(restarted ? "p3" : "p2", { changes: { "other/x": {} } });
      await control.review(next);
      await heard(`${next.id}.review`);
      expect([region.objects.size, await rig.rowsOf("p1")]).toEqual([0, []]);
      expect(control.answersTo("p1.prepare")).toHaveLength(1);
    }
  });

  it("K3: is confirmed only when nothing of a prepare is under way any more", async () => {
    const { rig, region, heard, control } = await started();
    await using _rig = rig;
    const landing = Promise.withResolvers<void>();
    const under = Promise.withResolvers<void>();
    region.beforeCreate = () => {
      under.resolve();
      return landing.promise;
    };
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await control.review(p1);
    await heard("p1.review");
    await control.prepare(p1);
    await under.promise;
    await control.settle(p1, { committed: false });
    await until(async () => expect((await rig.journal()).at(-1)?.type).toBe("tombstoned"));
    await control.review(control.propose("p2", { changes: { "other/x": {} } }));
    await heard("p2.review");
    expect(control.answersTo("p1.settle")).toEqual([]);
    landing.resolve();
    await heard("p1.settle");
    expect([region.objects.size, await rig.rowsOf("p1")]).toEqual([0, []]);
  });

  it("K1: removes what a prepare had made when its process died, from the intent", async () => {
    const { rig, region, heard, control, conductor } = await started();
    await using _rig = rig;
    await rig.stop();
    await rig.start(conductor, failsOnceAt("conductor.prepare.after"));
    const incarnation = () => rig.running?.status().get(model)?.incarnation ?? 0;
    const before = await until(() => {
      expect(incarnation()).toBeGreaterThan(0);
      return incarnation();
    });
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await control.review(p1);
    await heard("p1.review");
    await control.prepare(p1);
    await until(() => expect(region.objects.size).toBe(1));
    await until(() => expect(incarnation()).toBe(before + 1));
    expect(control.answersTo("p1.prepare")).toEqual([]);
    await control.settle(p1, { committed: false });
    await heard("p1.settle");
    expect([region.objects.size, await rig.rowsOf("p1")]).toEqual([0, []]);
  });

  it("is tried until it works, and the next proposal of other things does not wait for it", async () => {
    const { rig, region, heard, control, ready } = await started();
    await using _rig = rig;
    let down = true;
    region.beforeDelete = async () => {
      if (down) throw new Error("the region is down");
    };
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await ready(p1);
    await control.settle(p1, { committed: false });
    const p2 = control.propose("p2", { changes: { "thing/b": { n: 3 } } });
    await ready(p2);
    expect(control.answersTo("p1.settle")).toEqual([]);
    down = false;
    await heard("p1.settle");
    expect([...region.objects.keys()]).toEqual(["object-n3"]);
  });
});

describe("time", () => {
  it("K5: ends a prepare that lasts too long; what is ready stays", async () => {
    const { rig, region, heard, control, ready } = await started();
    await using _rig = rig;
    // Lasts until it is ended.
    region.beforeCreate = async (_name, ended) => {
      if (!ended.aborted) await once(ended, "abort");
    };
    const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
    await control.review(p1);
    await heard("p1.review");
    const noTime = { seconds: 0n, nanos: 1 };
    await control.prepare(p1, noTime);
    expect(answerCase(await heard("p1.prepare"))).toEqual(["failed"]);
    region.beforeCreate = () => Promise.resolve();
    const p2 = control.propose("p2", { changes: { "thing/b": { n: 3 } } });
    await ready(p2);
    // Told again while the first answer is still being sent, it needs no second one.
    await until(async () => {
      await control.prepare(p2, noTime);
      expect(control.answersTo("p2.prepare").length).toBeGreaterThan(1);
    });
    await control.review(control.propose("p3", { changes: { "other/x": {} } }));
    await heard("p3.review");
    expect((await rig.journal()).filter((entry) => entry.type === "tombstoned")).toEqual([]);
    expect(await rig.rowsOf("p2")).toEqual(["thing/b@2"]);
  });
});

describe("another process that takes over", () => {
  it("is followed by the first, which stands by, when its lease has lapsed", async () => {
    const { rig, heard, control } = await started();
    await using _rig = rig;
    await until(() => expect(control.registrations).toHaveLength(1));
    const first = rig.running;
    const second = await rig.start(new RegionConductor(new Region()));
    await until(() => expect(first?.status().get(model)).toBeUndefined());
    await second[Symbol.asyncDispose]();
    await until(() => expect(first?.status().get(model)?.incarnation).toBe(3));
    await control.review(control.propose("p1", { changes: { "thing/a": { n: 2 } } }));
    expect((await heard("p1.review")).at(-1)?.incarnation).toBe(3n);
  });

  it("fences the first, which stops and does not come back while it lives", async () => {
    const { rig, conductor, heard, control } = await started();
    await using _rig = rig;
    await until(() => expect(control.registrations).toHaveLength(1));
    const first = rig.running;
    const other = new RegionConductor(new Region());
    await using _second = await rig.start(other);
    await until(() => expect(first?.status().get(model)).toBeUndefined());
    await control.review(control.propose("p1", { changes: { "thing/a": { n: 2 } } }));
    const votes = await heard("p1.review");
    expect(votes.map((each) => each.incarnation)).toEqual([2n]);
    expect([conductor.calls, other.calls]).toEqual([[], ["review create thing/a@2"]]);
    expect((await rig.bindings.readConductor(model, conductorId("c"), rig.signal))?.incarnation).toBe(2);
    await first?.[Symbol.asyncDispose]();
  });
});
