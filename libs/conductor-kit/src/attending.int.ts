/** The author's own work beside the proposals: who does it, when, and whether what it sees is a proposal's. */
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";
import type { Attendance } from "./conductor.ts";
import { Region, RegionConductor, Rig, until, type Proposal } from "./testing/index.ts";

/** Attends until it is ended; `failing` of its first attempts fail. */
class AttendingConductor extends RegionConductor {
  attendance: Attendance | undefined;
  attempts = 0;
  failing = 0;

  async attend(attendance: Attendance, signal: AbortSignal): Promise<never> {
    this.attempts += 1;
    if (this.attempts <= this.failing) throw new Error("the store fails");
    this.attendance = attendance;
    await once(signal, "abort");
    this.attendance = undefined;
    throw signal.reason;
  }
}

let rig: Rig;
let region: Region;
afterEach(() => rig[Symbol.asyncDispose]());

async function start(failing = 0): Promise<AttendingConductor> {
  rig = await Rig.open();
  region = new Region();
  rig.control.seed({});
  await rig.mark("none", []);
  const conductor = new AttendingConductor(region);
  conductor.failing = failing;
  await rig.start(conductor);
  await attends(conductor);
  return conductor;
}

const attends = (conductor: AttendingConductor): Promise<void> =>
  until(() => expect(conductor.attendance?.model).toBe("m"));

const answered = (command: string): Promise<void> =>
  until(() => expect(rig.control.answersTo(command)).not.toEqual([]));

async function ready(id: string, n: number, wayBack = false): Promise<Proposal> {
  const { control } = rig;
  const proposal = control.propose(id, { changes: { "thing/a": { n } } });
  await control.review(proposal, { wayBack });
  await answered(`${id}.review`);
  await control.prepare(proposal);
  await answered(`${id}.prepare`);
  return proposal;
}

async function decide(proposal: Proposal, armed: boolean): Promise<void> {
  const { control } = rig;
  await control.commit(proposal);
  await rig.mark(proposal.id, []);
  await control.settle(proposal, { committed: true, armed });
  await answered(`${proposal.id}.settle`);
}

it("is done by the process that acts in the model, and by the one that stands by only when it takes over", async () => {
  const first = await start();
  const standing = rig.running;
  const second = new AttendingConductor(region);
  const { attendance } = first;
  expect(await attendance?.acts(rig.signal)).toBe(true);
  await rig.start(second);
  await attends(second);
  expect(await attendance?.acts(rig.signal), "before its session has learnt of it").toBe(false);
  expect(await second.attendance?.acts(rig.signal)).toBe(true);
  await until(() => expect(first.attendance).toBeUndefined());
  await rig.stop();
  expect(second.attendance).toBeUndefined();
  await attends(first);
  rig.running = standing;
});

it("begins again when it fails", async () => {
  const conductor = await start(3);
  expect(conductor.attempts).toBe(4);
});

it("sees what a proposal has intended, until its outcome is in the ledger", async () => {
  const { attendance } = await start();
  const isIntended = (): boolean | undefined => attendance?.isIntended("object-n1");
  expect(isIntended()).toBe(false);
  const proposal = await ready("p1", 1);
  expect(isIntended()).toBe(true);
  await rig.control.commit(proposal);
  await rig.control.settle(proposal, { committed: true });
  await answered("p1.settle");
  expect(isIntended()).toBe(true);
  await rig.mark("p1", []);
  await until(() => expect(isIntended()).toBe(false));
});

it("sees what an armed way back would want again, until it is confirmed", async () => {
  const { attendance } = await start();
  const isIntended = (): boolean | undefined => attendance?.isIntended("object-n1");
  await decide(await ready("p1", 1), false);
  await until(() => expect(isIntended()).toBe(false));
  const proposal = await ready("p2", 2, true);
  await decide(proposal, true);
  await until(() => expect(attendance?.ledger.newest).toBe(3));
  expect([isIntended(), attendance?.isIntended("object-n2")]).toEqual([true, false]);
  await rig.control.settle(proposal, { committed: true, disarm: true });
  await answered("p2.disarm");
  expect(isIntended()).toBe(false);
});

it("sees what an undo still owes, also when another process has intended it", async () => {
  await start();
  const proposal = await ready("p1", 1);
  await rig.stop();
  const conductor = new AttendingConductor(region);
  await rig.start(conductor);
  await attends(conductor);
  const { attendance } = conductor;
  const deleting = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  region.beforeDelete = () => {
    begun.resolve();
    return deleting.promise;
  };
  expect(attendance?.isIntended("object-n1")).toBe(true);
  await rig.control.settle(proposal, { committed: false });
  await begun.promise;
  expect(attendance?.isIntended("object-n1")).toBe(true);
  deleting.resolve();
  await answered("p1.settle");
  expect(attendance?.isIntended("object-n1")).toBe(false);
});
