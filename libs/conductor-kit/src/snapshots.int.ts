import { epoch } from "@greco/domain/model";
import { expect, it } from "vitest";
import { model, Region, RegionConductor, Rig, until } from "./testing/index.ts";

it("folds the bindings every so many epochs, once, and goes on from there after a restart", async () => {
  await using rig = await Rig.open({ limits: { snapshotEpochs: 2 } });
  const conductor = new RegionConductor(new Region());
  rig.control.seed({});
  await rig.mark("none", []);
  await rig.start(conductor, undefined, true);
  const heard = (id: string) => until(() => expect(rig.control.answersTo(id)).not.toEqual([]));
  const commit = async (id: string, things: Readonly<Record<string, unknown>>): Promise<void> => {
    const proposal = rig.control.propose(id, { changes: things });
    await rig.control.review(proposal);
    await heard(`${id}.review`);
    await rig.control.prepare(proposal);
    await heard(`${id}.prepare`);
    await rig.control.commit(proposal);
    await rig.mark(id, []);
    await rig.control.settle(proposal, { committed: true });
    await heard(`${id}.settle`);
  };
  const snapshot = async (at: number) => {
    const found = await rig.bindings.getSnapshot(model, epoch(at), rig.signal);
    return (
      found && {
        epoch: found.epoch,
        bindings: found.bindings.map((each) => `${each.entity} ${each.candidate}`),
      }
    );
  };
  await commit("p2", { "thing/a": { n: 1 }, "thing/b": { n: 1 } });
  await until(async () =>
    expect(await snapshot(9)).toEqual({ epoch: 2, bindings: ["thing/a@2 p2", "thing/b@2 p2"] }),
  );
  await commit("p3", { "thing/a": { n: 2 } });
  await rig.stop();
  await rig.start(conductor, undefined, true);
  await commit("p4", { "thing/c": { n: 2 } });
  await until(async () =>
    expect(await snapshot(9)).toEqual({
      epoch: 4,
      bindings: ["thing/a@2 p3", "thing/b@2 p2", "thing/c@4 p4"],
    }),
  );
  expect((await snapshot(3))?.epoch).toBe(2);
});
