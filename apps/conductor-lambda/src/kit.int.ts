/** The conductor in the kit, on embedded stores: what is pinned stays, and what nobody pins any more goes (K1, K4, I13). */
import { Rig, until, type Proposal } from "@greco/conductor-kit/testing";
import { systemClock } from "@greco/service-kit";
import type { EntityIdentity } from "@greco/domain/model";
import { expect, it } from "vitest";
import { functionName } from "./function-name.ts";
import { createLambdaConductor } from "./conductor.ts";
import { LAMBDA_LIMITS } from "./limits.ts";
import type { Workshop } from "./make-function.ts";
import { MemoryRegion } from "./testing/memory-region.ts";
import { late, MODEL, nobodyLooks, ROLE, smallPackaging, streams, TRUST } from "./testing/world.ts";
import { Turns } from "./turns.ts";

const STREAM = "stream/flights@1";
const nameOf = (entity: string): string =>
  functionName({ prefix: "greco", model: MODEL, entity: entity as EntityIdentity });

class World {
  readonly rig: Rig;
  readonly region = new MemoryRegion(systemClock, {
    visibleMs: 5,
    createMs: 10,
    updateMs: 10,
    publishMs: 10,
  });

  constructor(rig: Rig) {
    this.rig = rig;
    this.region.roles.set(ROLE, { arn: ROLE, trustPolicy: TRUST });
  }

  static async open(): Promise<World> {
    const rig = await Rig.open();
    const world = new World(rig);
    rig.control.conductor = "conductor-lambda";
    rig.control.seed(streams);
    await rig.mark("none", []);
    await world.start();
    return world;
  }

  /** The next process. */
  async start(): Promise<void> {
    const quick = { pollMinMs: 2, pollMaxMs: 10, backoffMinMs: 2, backoffMaxMs: 20, visibleMs: 20 };
    const { clock, ids, log } = {
      clock: systemClock,
      ids: { next: () => "", random: () => 0.5 },
      log: this.rig.log,
    };
    const workshop: Workshop = {
      region: this.region,
      clock,
      ids,
      log,
      limits: { ...LAMBDA_LIMITS, ...quick },
    };
    const wishes = { prefix: "greco", defaultRole: ROLE, packaging: smallPackaging };
    const parts = { workshop, unhurried: workshop, live: nobodyLooks, turns: new Turns() };
    await this.rig.start(createLambdaConductor({ ...parts, ...wishes }));
  }

  async heard(commandId: string): Promise<void> {
    await until(() => expect(this.rig.control.answersTo(commandId)).not.toEqual([]));
  }

  answer(commandId: string): string | undefined {
    return this.rig.control.answersTo(commandId)[0]?.answer.case;
  }

  async propose(id: string, changes: Readonly<Record<string, unknown>>): Promise<Proposal> {
    const { control } = this.rig;
    const proposal = control.propose(id, { changes });
    await control.review(proposal);
    await this.heard(`${id}.review`);
    expect(this.answer(`${id}.review`)).toBe("accept");
    await control.prepare(proposal);
    await this.heard(`${id}.prepare`);
    return proposal;
  }

  async commit(proposal: Proposal, removed: readonly string[] = []): Promise<void> {
    expect(this.answer(`${proposal.id}.prepare`)).toBe("ready");
    await this.rig.control.commit(proposal);
    await this.rig.mark(proposal.id, [STREAM], removed);
    await this.rig.control.settle(proposal, { committed: true });
    await this.heard(`${proposal.id}.settle`);
  }

  async abort(proposal: Proposal): Promise<void> {
    await this.rig.control.settle(proposal, { committed: false });
    await this.heard(`${proposal.id}.settle`);
  }

  numbers(name: string): readonly number[] {
    return this.region.functions.get(name)?.versions.map(({ number }) => number) ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]();
  }
}

it("undoes a candidate and leaves what an epoch stands on, and deletes the function with its last epoch", async () => {
  await using world = await World.open();
  const name = nameOf("query/late@2");
  await world.commit(await world.propose("p1", late(600)));
  expect(world.numbers(name)).toEqual([1]);
  // K4: an update that is aborted, and one that needs only what is there.
  await world.abort(await world.propose("p2", late(700)));
  expect(world.numbers(name)).toEqual([1]);
  await world.abort(await world.propose("p3", { ...late(600), ...late(600, {}, "other") }));
  expect(world.numbers(name)).toEqual([1]);
  expect([...world.region.functions.keys()]).toEqual([name]);
  // I13: the version goes when nobody needs its epoch, the function with the last of them; over a restart.
  await world.commit(await world.propose("p4", late(800)));
  await until(() => expect(world.numbers(name)).toEqual([3]));
  await world.rig.stop();
  await world.start();
  await world.commit(await world.propose("p5", { "query/late": undefined }), ["query/late@2"]);
  await until(() => expect(world.region.functions.size).toBe(0));
});

it("tells why it is not ready, and an abort leaves nothing", async () => {
  await using world = await World.open();
  world.region.failing = { publish: "the key is disabled" };
  const proposal = await world.propose("p1", late(600));
  const [answer] = world.rig.control.answersTo("p1.prepare");
  expect(answer?.answer).toMatchObject({
    case: "failed",
    value: {
      findings: [{ reason: "FUNCTION_FAILED", message: expect.stringContaining("the key is disabled") }],
    },
  });
  await world.abort(proposal);
  expect(world.region.functions.size).toBe(0);
});
