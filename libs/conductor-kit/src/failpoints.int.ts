/**
 * Every place where a conductor may die, in a proposal that commits and in one that aborts: the session fails
 * there, the next incarnation begins from the journal, and the control plane announces again until it is
 * answered, as the coordinator does.
 */
import { describe, expect, it } from "vitest";
import {
  failsOnceAt,
  Region,
  RegionConductor,
  Rig,
  until,
  type Proposal,
  type ScriptedControl,
} from "./testing/index.ts";

const COMMITTING = [
  "conductor.vote.before",
  "conductor.vote.after",
  "conductor.prepare.before",
  "conductor.prepare.intent",
  "conductor.prepare.after",
  "conductor.ready.before",
  "conductor.ready.after",
  "conductor.settle.before",
  "conductor.settle.after",
];
const ABORTING = [...COMMITTING.slice(0, 7), "conductor.undo.before", "conductor.undo.after"];

/** At 5 ms a look. */
const LOOKS_A_REMINDER = 10;

/** Tells it again now and then until it is answered. */
async function untilAnswered(control: ScriptedControl, commandId: string, tell: () => Promise<void>) {
  let looks = 0;
  return until(async () => {
    if (control.answersTo(commandId).length === 0 && looks++ % LOOKS_A_REMINDER === 0) await tell();
    expect(control.answersTo(commandId).length).toBeGreaterThan(0);
    return control.answersTo(commandId);
  });
}

async function propose(at: string): Promise<{ rig: Rig; region: Region; p1: Proposal }> {
  const rig = await Rig.open();
  const region = new Region();
  const { control } = rig;
  control.seed({ "thing/old": { n: 1 } });
  await rig.mark("none", []);
  await rig.start(new RegionConductor(region), failsOnceAt(at));
  const p1 = control.propose("p1", { changes: { "thing/a": { n: 2 } } });
  const [vote] = await untilAnswered(control, "p1.review", () => control.review(p1));
  expect(vote?.answer).toMatchObject({ case: "accept" });
  return { rig, region, p1 };
}

const sameAnswers = (control: ScriptedControl, commandId: string): void => {
  const [first, ...more] = control.answersTo(commandId).map((each) => each.answer);
  for (const each of more) expect(each).toEqual(first);
};

describe("a conductor that dies", () => {
  for (const at of COMMITTING)
    it(`I1: at ${at} says the same afterwards, and what is committed stands`, async () => {
      const { rig, region, p1 } = await propose(at);
      await using _rig = rig;
      const { control } = rig;
      const [ready] = await untilAnswered(control, "p1.prepare", () => control.prepare(p1));
      expect(ready?.answer).toMatchObject({ case: "ready", value: { bindings: [{ entity: "a" }] } });
      await control.commit(p1);
      await untilAnswered(control, "p1.settle", () => control.settle(p1, { committed: true }));
      for (const commandId of ["p1.review", "p1.prepare", "p1.settle"]) sameAnswers(control, commandId);
      expect([[...region.objects.keys()], await rig.rowsOf("p1")]).toEqual([["object-n2"], ["thing/a@2"]]);
      expect((await rig.journal()).map((entry) => entry.type)).toEqual(
        expect.arrayContaining(["accepted", "intended", "prepared", "released"]),
      );
    });

  for (const at of ABORTING)
    it(`I11: at ${at} leaves nothing of what is aborted`, async () => {
      const { rig, region, p1 } = await propose(at);
      await using _rig = rig;
      const { control } = rig;
      await untilAnswered(control, "p1.prepare", () => control.prepare(p1));
      await untilAnswered(control, "p1.settle", () => control.settle(p1, { committed: false }));
      for (const commandId of ["p1.review", "p1.prepare", "p1.settle"]) sameAnswers(control, commandId);
      expect([region.objects.size, await rig.rowsOf("p1")]).toEqual([0, []]);
    });

  for (const at of ["conductor.prepare.before", "conductor.prepare.intent", "conductor.prepare.after"])
    it(`K1: at ${at} leaves nothing of what is aborted before it is asked again`, async () => {
      const { rig, region, p1 } = await propose(at);
      await using _rig = rig;
      const { control } = rig;
      const first = control.registrations.length;
      await control.prepare(p1);
      await until(() => expect(control.registrations.length).toBeGreaterThan(first));
      await untilAnswered(control, "p1.settle", () => control.settle(p1, { committed: false }));
      expect([region.objects.size, await rig.rowsOf("p1")]).toEqual([0, []]);
    });
});
