import {
  Phase,
  type Proposal,
  type VoterStatus,
  VoterStatus_Vote,
} from "@greco/contracts/greco/commit/v1/commit";
import type { Dev } from "@greco/dev";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../story.ts";
import { errorOf, fingerprint } from "./refusal.ts";
import { PARENT, stream, World } from "./world.ts";

const FIELDS = { n: { type: "number" } };

/** Also who has said what, and who is known: all that an answer could have changed. */
async function standing(world: World): Promise<unknown> {
  const { commit, conductors } = world.dev.clients("admin");
  const options = { signal: world.signal };
  const { proposals } = await commit.listProposals({ parent: PARENT, pageSize: 1_000 }, options);
  const known = await conductors.listConductors({ model: PARENT }, options);
  return {
    all: await fingerprint(world),
    voters: proposals.map((each) =>
      each.voters.map(({ conductor, vote, ready, settled }) => [conductor, vote, ready, settled]),
    ),
    conductors: known.conductors.map(({ name, incarnation, state }) => [name, incarnation, state]),
  };
}

describe("I15: votes that do not count are refused, and change nothing", () => {
  let world: World;
  let open: Proposal;
  /** A conductor of this test: the proposal waits for what it says. */
  const SLOW = "conductors/slow";
  const LATE = "conductors/late";
  const proposal = (): Promise<Proposal> =>
    world.dev.clients("admin").commit.getProposal({ name: open.name }, { signal: world.signal });
  const register = async (name: string, incarnation: bigint) => {
    const conductor = await world.dev.asConductor(name.replace("conductors/", ""));
    const request = { name, model: PARENT, kinds: ["none-of-these"], incarnation };
    return conductor.registerConductor(request, { signal: world.signal });
  };
  /** Until all others have said what they have to say. */
  const others = (said: (voter: VoterStatus) => boolean): Promise<true> =>
    until(async () => {
      const voters = (await proposal()).voters.filter(({ conductor }) => conductor !== SLOW);
      return voters.length === 3 && voters.every(said) ? true : undefined;
    }, world.signal);
  type Answer = NonNullable<
    Parameters<Awaited<ReturnType<Dev["asConductor"]>>["answerCommand"]>[0]["answer"]
  >;
  type Said = {
    conductor?: string;
    incarnation?: bigint;
    commandId?: string;
    candidate?: string;
    digest?: string;
    answer?: Answer;
  };
  const ACCEPT: Answer = { case: "accept", value: { plan: {} } };
  /** What `slow` may truly say, but for what is given. */
  const answer = async (more: Said = {}, as = "slow", kind = "review"): Promise<unknown> => {
    const client = await world.dev.asConductor(as);
    const id = open.name.split("/").at(-1) ?? "";
    const { candidate, digest } = open;
    const said = { conductor: SLOW, model: PARENT, incarnation: 2n, commandId: `${id}.${kind}` };
    return client.answerCommand(
      { ...said, candidate, digest, answer: ACCEPT, ...more },
      { signal: world.signal },
    );
  };

  beforeAll(async () => {
    world = await World.start();
    await register(SLOW, 1n);
    const { name, etag } = await world.draft([stream("a", FIELDS)]);
    const { commit } = world.dev.clients("releaser");
    const made = await commit.makeItSo({ draft: name, etag }, { signal: world.signal });
    open = await until(async () => {
      const now = await commit.getProposal({ name: made.name }, { signal: world.signal });
      return now.phase === Phase.PROPOSED ? now : undefined;
    }, world.signal);
    expect(open.voters.map(({ conductor }) => conductor)).toContain(SLOW);
    await others(({ vote }) => vote === VoterStatus_Vote.ACCEPT);
    // The first process of `slow` was replaced.
    await register(SLOW, 2n);
    // Registered, and no voter of what was proposed before.
    await register(LATE, 1n);
    await until(async () => {
      const { conductors } = world.dev.clients("admin");
      const known = await conductors.listConductors({ model: PARENT }, { signal: world.signal });
      return known.conductors.find(({ name }) => name === LATE);
    }, world.signal);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const refused: readonly (readonly [string, () => Promise<unknown>, string, string])[] = [
    ["of an old incarnation", () => answer({ incarnation: 1n }), "FAILED_PRECONDITION", "OLD_INCARNATION"],
    [
      "of an incarnation that did not register",
      () => answer({ incarnation: 3n }),
      "FAILED_PRECONDITION",
      "UNKNOWN_INCARNATION",
    ],
    [
      "of a registered non-voter",
      () => answer({ conductor: LATE, incarnation: 1n }, "late"),
      "FAILED_PRECONDITION",
      "NOT_A_VOTER",
    ],
    [
      "of who is not registered",
      () => answer({ conductor: "conductors/nobody" }, "nobody"),
      "FAILED_PRECONDITION",
      "NOT_REGISTERED",
    ],
    ["for another candidate", () => answer({ candidate: "other" }), "FAILED_PRECONDITION", "OTHER_CANDIDATE"],
    ["for another digest", () => answer({ digest: "0".repeat(64) }), "FAILED_PRECONDITION", "OTHER_DIGEST"],
    [
      "to a command that nobody gave",
      () => answer({ commandId: "forged" }),
      "FAILED_PRECONDITION",
      "UNKNOWN_COMMAND",
    ],
    ["in the name of another conductor", () => answer({}, "late"), "PERMISSION_DENIED", ""],
    [
      "of a person",
      () =>
        world.dev.clients("admin").conductors.answerCommand(
          {
            conductor: SLOW,
            model: PARENT,
            incarnation: 2n,
            commandId: `${open.name.split("/").at(-1)}.review`,
            candidate: open.candidate,
            digest: open.digest,
            answer: ACCEPT,
          },
          { signal: world.signal },
        ),
      "PERMISSION_DENIED",
      "",
    ],
  ];
  it.each(refused)("%s", async (_title, say, code, reason) => {
    const before = await standing(world);
    const error = await errorOf(say);
    expect(error.code).toBe(code);
    if (reason !== "") expect(error.reason).toBe(reason);
    expect(await standing(world)).toEqual(before);
    expect((await proposal()).phase).toBe(Phase.PROPOSED);
  });

  it("a replay of a genuine answer has no effect, and its opposite is refused", async () => {
    // None of the refused ones is in the way of the one that counts.
    await answer();
    await others(({ ready }) => ready);
    const accepted = await standing(world);
    await answer();
    expect(await standing(world)).toEqual(accepted);
    const finding = { entity: `${PARENT}/entities/stream/a`, reason: "NO", message: "no", remedy: "none" };
    const opposite = await errorOf(() =>
      answer({ answer: { case: "veto", value: { findings: [finding] } } }),
    );
    expect(opposite).toMatchObject({ code: "FAILED_PRECONDITION", reason: "ANSWER_CONFLICTS" });
    expect(await standing(world)).toEqual(accepted);
    const ready = (): Promise<unknown> => answer({ answer: { case: "ready", value: {} } }, "slow", "prepare");
    await ready();
    await until(async () => {
      const { voters, phase } = await proposal();
      const told = voters.filter(({ settled }) => settled).length;
      return phase === Phase.MARKED && told === 3 ? true : undefined;
    }, world.signal);
    // The ingress has heard of the model once it lists its lanes.
    const decided = await until(() => standing(world).catch(() => undefined), world.signal);
    await answer();
    await ready();
    expect(await standing(world)).toEqual(decided);
    expect((await proposal()).version).toBe(1n);
  });
});
