import { expect, it } from "vitest";
import type { ConductorId, EntityIdentity } from "../model/ids.ts";
import { COMMIT_LIMITS } from "./limits.ts";
import { committedFrom } from "./settling.ts";
import {
  accept,
  acceptReady,
  bindings,
  by,
  entity,
  finding,
  frozen,
  lambda,
  play,
  queued,
  ready,
  samples,
  streams,
  toReady,
  turn,
} from "./testing/samples.ts";
import { noPlan } from "./vote.ts";

const promote = { type: "promote", atMs: 1_000 };

it("takes the slot and asks every voter", () => {
  const { state, effects } = play(queued(), turn);
  expect(state).toMatchObject({ phase: "proposed", deadline: { remainingMs: COMMIT_LIMITS.reviewMs } });
  expect(effects).toEqual([
    { type: "persist", slot: "take" },
    { type: "announce", command: "review", to: [lambda, streams] },
  ]);
});

it("prepares once all have accepted, those only that are not ready, for as long as the plans say", () => {
  const { state, effects } = play(queued(), turn, by(streams, acceptReady), by(lambda, accept));
  expect(state).toMatchObject({ phase: "accepted", deadline: { remainingMs: 200_000 } });
  expect(effects[0]).toEqual({ type: "announce", command: "prepare", to: [lambda] });
});

it("I1: promotes only when every frozen voter is ready", () => {
  expect(play(queued(), ...toReady.slice(0, 3)).effects).not.toContainEqual(promote);
  expect(play(queued(), ...toReady)).toMatchObject({ state: { phase: "ready" }, effects: [promote] });
});

it("promotes without a prepare where every accept carries ready", () => {
  const claimed = { ...acceptReady, plan: { ...noPlan, claims: [entity] } };
  const { effects } = play(queued(), turn, by(streams, acceptReady), by(lambda, claimed));
  expect(effects).toEqual([promote]);
});

it("a veto, or a prepare that fails, aborts and says who, why and what to do", () => {
  const vetoed = play(queued(), turn, by(lambda, { kind: "veto", findings: [finding] }));
  expect(vetoed.effects).toEqual([{ type: "discard" }]);
  expect(vetoed.state).toMatchObject({
    abort: { cause: "vetoed", message: "lambda vetoed it: there is no field delayed (write delay)" },
  });
  const failed = play(queued(), ...toReady.slice(0, 3), by(lambda, { kind: "failed", findings: [finding] }));
  expect(failed.state).toMatchObject({ phase: "aborting", abort: { cause: "failed" } });
});

it.each([
  ["none", noPlan, "query/late by none"],
  ["two", { ...noPlan, claims: [entity] }, "query/late by lambda and streams"],
])("an affected entity that %s claim aborts", (_, plan, message) => {
  const both = { kind: "accept", plan, ready: [] } as const;
  const { state } = play(queued(), turn, by(streams, both), by(lambda, both));
  expect(state).toMatchObject({ phase: "aborting", abort: { cause: "failed" } });
  expect(state.phase === "aborting" && state.abort.message).toContain(message);
});

it("aborts when two are ready with different bindings for one entity", () => {
  const other = [{ entity: "query/late@5" as EntityIdentity, hash: "b".repeat(64) }];
  const readyToo = { kind: "accept", plan: noPlan, ready: other } as const;
  const { state } = play(queued(), turn, by(streams, readyToo), by(lambda, accept), by(lambda, ready));
  expect(state).toMatchObject({ phase: "aborting", abort: { cause: "failed" } });
});

it("a first answer stands: what comes after it changes nothing", () => {
  const accepted = play(queued(), turn, by(streams, acceptReady)).state;
  expect(play(accepted, by(streams, { kind: "veto", findings: [finding] }))).toEqual({
    state: accepted,
    effects: [],
  });
});

it("I11: an absent voter leads to abort once the live time of its phase is used up", () => {
  const almost = play(queued(), turn, { type: "tick", elapsedMs: COMMIT_LIMITS.reviewMs - 1 });
  expect(almost.effects).toEqual([{ type: "persist", slot: "keep" }]);
  const { state } = play(almost.state, { type: "tick", elapsedMs: 1 });
  expect(state).toMatchObject({ phase: "aborting", abort: { cause: "expired" } });
  expect(state.phase === "aborting" && state.abort.message).toContain(
    "no answer in time from lambda, streams",
  );
});

it("I11: the queue, prepare and promote have a deadline too", () => {
  for (const phase of ["queued", "accepted", "ready"] as const)
    expect(play(samples()[phase], { type: "tick", elapsedMs: 1e12 }).state).toMatchObject({
      phase: "aborting",
      abort: { cause: "expired" },
    });
});

it("aborts when a voter is deregistered, and lets it go", () => {
  const { state } = play(queued(), turn, { type: "deregistered", conductor: lambda });
  expect(state).toMatchObject({ phase: "aborting", abort: { cause: "failed" } });
  expect(state.phase === "aborting" && "voters" in state.from && state.from.voters[0]?.excused).toBe(true);
  const stranger = play(queued(), turn, { type: "deregistered", conductor: "other" as ConductorId });
  expect(stranger.state.phase).toBe("proposed");
});

it.each([
  ["head-moved", "stale"],
  ["registrations-changed", "failed"],
  ["ledger-ahead", "failed"],
] as const)("a promote refused as %s aborts as %s", (why, cause) => {
  expect(play(samples().ready, { type: "refused", why, detail: "now 6" }).state).toMatchObject({
    abort: { cause },
  });
});

it("recovers what the record knows, charges an interval, and asks who has not answered", () => {
  const registered = new Set([lambda, streams]);
  const recovered = {
    type: "recovered",
    chargeMs: 5_000,
    registered,
    claimable: [entity],
    scope: [],
  } as const;
  const half = play(queued(), turn, by(streams, acceptReady)).state;
  const { state, effects } = play(half, recovered);
  expect(state).toMatchObject({ deadline: { remainingMs: COMMIT_LIMITS.reviewMs - 5_000 } });
  expect(effects).toEqual([
    { type: "persist", slot: "keep" },
    { type: "announce", command: "review", to: [lambda] },
  ]);
  expect(play(samples().ready, recovered).effects).toContainEqual(promote);
  const gone = play(half, { ...recovered, registered: new Set([streams]) });
  expect(gone.state).toMatchObject({ phase: "aborting", abort: { cause: "failed" } });
});

it("I1: will not even write down a commit that lacks a yes", () => {
  const ready = samples().ready;
  if (ready.phase !== "ready") throw new Error("not ready");
  expect(committedFrom(ready, 7)).toMatchObject({ version: frozen.candidate.base + 1, bindings });
  const voters = ready.voters.map((voter) => ({
    ...voter,
    vote: { stage: "accepted", plan: noPlan } as const,
  }));
  expect(() => committedFrom({ ...ready, voters }, 7)).toThrow("I1");
});

it("a queued join ends when its conductor is deregistered, heard or read back; another's does not care", () => {
  const join = queued({ origin: { kind: "join", conductor: lambda } });
  const gone = { type: "deregistered", conductor: lambda } as const;
  const read = (...registered: ConductorId[]) =>
    ({ type: "recovered", chargeMs: 0, registered: new Set(registered), claimable: [], scope: [] }) as const;
  for (const event of [gone, read(streams)])
    expect(play(join, event)).toMatchObject({
      state: { phase: "aborting", abort: { cause: "failed" } },
      effects: [{ type: "discard" }],
    });
  expect(play(join, { ...gone, conductor: streams }).state).toBe(join);
  expect(play(join, read(lambda)).state).toBe(join);
  expect(play(queued(), gone, read()).state.phase).toBe("queued");
});
