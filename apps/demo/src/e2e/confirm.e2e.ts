import { Confirmation_State, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../story.ts";
import { DevProcess } from "./dev-process.ts";
import { PARENT, stream, World } from "./world.ts";

const within = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const number = { n: { type: "number" } };
const LONG_S = 600;
const SHORT_S = 2;
/** Longer than a kill and a start take, shorter than the test. */
const RESTART_S = 60;
const RESTART_TEST_MS = 240_000;

async function title(world: World): Promise<string> {
  const found = await world.dev
    .clients("viewer")
    .registry.getEntity({ name: `${PARENT}/entities/stream/s` }, { signal: world.signal });
  return (JSON.parse(found.specJson) as { schema: { title: string } }).schema.title;
}

const titled = (text: string) =>
  stream("s", number, { schema: { type: "object", title: text, properties: number } });

describe("confirmed commit", () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.[Symbol.asyncDispose]();
    world = undefined;
  });

  async function armed(seconds: number): Promise<{ world: World; proposal: Proposal }> {
    const started = (world = await World.start());
    await started.commit([titled("one")]);
    const draft = await started.draft([titled("two")]);
    const { commit } = started.dev.clients("releaser");
    const proposal = await commit.makeItSo(
      { draft: draft.name, etag: draft.etag, confirmWithin: within(seconds) },
      { signal: started.signal },
    );
    return {
      world: started,
      proposal: await started.story("releaser").outcome(proposal.name, started.signal),
    };
  }

  it("keeps the version once it is confirmed, and takes no other proposal before", async () => {
    const { world: started, proposal } = await armed(LONG_S);
    expect(proposal.confirmation?.state).toBe(Confirmation_State.ARMED);
    const other = await started.draft([stream("t", number)]);
    const { commit } = started.dev.clients("releaser");
    await expect(
      commit.makeItSo({ draft: other.name, etag: other.etag }, { signal: started.signal }),
    ).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: expect.stringMatching(/confirm/) as unknown,
    });
    const confirmed = await commit.confirmProposal({ name: proposal.name }, { signal: started.signal });
    expect(confirmed.confirmation).toMatchObject({
      state: Confirmation_State.CONFIRMED,
      confirmedBy: "releaser",
    });
    const after = await started
      .story("releaser")
      .makeItSo(other.name, other.etag, "afterwards", started.signal);
    expect(after.version).toBe(3n);
    expect(await title(started)).toBe("two");
  });

  it("reverts by a forward version when nobody confirms in time", async () => {
    const { world: started, proposal } = await armed(SHORT_S);
    expect(proposal.version).toBe(2n);
    const { registry, commit } = started.dev.clients("releaser");
    await until(
      async () =>
        (await registry.getModel({ name: PARENT }, { signal: started.signal })).headVersion === 3n
          ? true
          : undefined,
      started.signal,
    );
    expect(await title(started)).toBe("one");
    const reverted = await until(async () => {
      const now = await commit.getProposal({ name: proposal.name }, { signal: started.signal });
      return now.confirmation?.state === Confirmation_State.REVERTED ? now : undefined;
    }, started.signal);
    expect(reverted.confirmation?.revertProposal).not.toBe("");
    await expect(
      commit.confirmProposal({ name: proposal.name }, { signal: started.signal }),
    ).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
  });

  it(
    "I11: reverts after the coordinator was killed while it was armed",
    async () => {
      await using process = await DevProcess.prepare(RESTART_TEST_MS - 10_000);
      await process.start();
      const { signal } = process;
      const story = process.story("admin");
      await story.begin("confirmed", 3, signal);
      const one = await story.draft("one", [titled("one")], false, signal);
      await story.makeItSo(one.name, one.etag, "one", signal);
      const two = await story.draft("two", [titled("two")], false, signal);
      const made = await process
        .clients("admin")
        .commit.makeItSo({ draft: two.name, etag: two.etag, confirmWithin: within(RESTART_S) }, { signal });
      const standing = async () => {
        const { commit, registry } = process.clients("admin");
        const { confirmation } = await commit.getProposal({ name: made.name }, { signal });
        const { headVersion } = await registry.getModel({ name: PARENT }, { signal });
        const { specJson } = await registry.getEntity({ name: `${PARENT}/entities/stream/s` }, { signal });
        const { schema } = JSON.parse(specJson) as { schema: { title: string } };
        return { state: confirmation?.state, head: headVersion, title: schema.title };
      };
      const armedNow = { state: Confirmation_State.ARMED, head: 2n, title: "two" };
      await story.outcome(made.name, signal);
      expect(await standing()).toEqual(armedNow);
      await process.kill();
      await process.start();
      // The restart alone reverts nothing: the time does.
      expect(await standing()).toEqual(armedNow);
      const reverted = await until(async () => {
        const now = await standing();
        return now.state === Confirmation_State.REVERTED && now.head > armedNow.head ? now : undefined;
      }, signal);
      expect(reverted).toEqual({ state: Confirmation_State.REVERTED, head: 3n, title: "one" });
    },
    RESTART_TEST_MS,
  );
});
