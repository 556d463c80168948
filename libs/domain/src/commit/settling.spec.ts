import { expect, it } from "vitest";
import type { CommitEvent } from "./event.ts";
import { ledgerEntryOf } from "./ledger.ts";
import { COMMIT_LIMITS } from "./limits.ts";
import { outcomeOf } from "./proposal.ts";
import {
  bindings,
  facts,
  frozen,
  lambda,
  play,
  queued,
  samples,
  settled,
  streams,
  toReady,
  turn,
} from "./testing/samples.ts";
import { owed, revertId } from "./settling.ts";
import { step } from "./step.ts";

const promoted: CommitEvent = { type: "promoted", atMs: 2_000 };
const marked: CommitEvent = { type: "marked" };
const within = { confirmWithinMs: 60_000 };
const commit = (confirm?: { confirmWithinMs: number }) => play(queued(confirm), ...toReady, promoted);

it("I5: after promote comes the ledger, and only then is anybody told", () => {
  const committed = commit();
  expect(committed).toMatchObject({ state: { phase: "committed", version: 5 }, effects: [{ type: "mark" }] });
  expect(play(committed.state, marked).effects).toEqual([
    { type: "announce-commit" },
    { type: "announce", command: "settle", to: [lambda, streams] },
    { type: "persist", slot: "release" },
  ]);
});

it("the ledger's entry names epoch, candidate, scope with the built-in streams, and every binding", () => {
  const { state } = commit();
  const outcome = outcomeOf(state);
  if (outcome?.committed !== true) throw new Error("not committed");
  expect(ledgerEntryOf(facts, frozen.candidate, outcome)).toEqual({
    model: "flights",
    epoch: 5,
    candidate: "p1",
    scope: ["stream/dead-letters@0", "stream/epochs@0", "stream/flights@1"],
    bindings: [{ entity: bindings[0]?.entity, candidate: "p1", hash: bindings[0]?.hash, removed: false }],
    committedAtMs: 2_000,
  });
});

it("is settled when every voter has confirmed, and tells the rest again until then", () => {
  const told = play(commit().state, marked, settled(lambda, true));
  expect(told.effects).toEqual([]);
  expect(play(told.state, { type: "remind" }).effects).toContainEqual({
    type: "announce",
    command: "settle",
    to: [streams],
  });
  expect(play(told.state, settled(streams, true))).toMatchObject({
    state: { phase: "settled", outcome: { committed: true, version: 5 } },
    effects: [{ type: "persist", slot: "keep" }],
  });
});

it("tells an abort to every frozen voter, heard or not, and frees the slot", () => {
  const aborted = play(
    queued(),
    turn,
    { type: "withdrawn", by: "ann", reason: "oops" },
    { type: "discarded" },
  );
  expect(aborted.effects).toEqual([
    { type: "announce", command: "settle", to: [lambda, streams] },
    { type: "persist", slot: "release" },
  ]);
  expect(aborted.state).toMatchObject({ abort: { cause: "withdrawn", message: "withdrawn by ann: oops" } });
});

it("has nobody to tell of an abort in the queue", () => {
  const { state, effects } = play(
    queued(),
    { type: "withdrawn", by: "ann", reason: "" },
    { type: "discarded" },
  );
  expect(state.phase).toBe("settled");
  expect(effects).toEqual([{ type: "persist", slot: "release" }]);
});

it("I2: a promote that was granted before the wish to abort stands", () => {
  const { state } = play(samples().ready, { type: "withdrawn", by: "ann", reason: "" }, promoted);
  expect(state.phase).toBe("committed");
});

it("does not wait for who was deregistered", () => {
  const { state } = play(commit().state, marked, settled(lambda, true), {
    type: "deregistered",
    conductor: streams,
  });
  expect(state).toMatchObject({ phase: "settled" });
});

it("keeps the slot while armed, and tells the voters a second time once it is confirmed", () => {
  const armed = play(commit(within).state, marked);
  expect(armed.effects).toContainEqual({ type: "persist", slot: "arm" });
  const told = play(armed.state, settled(lambda, true), settled(streams, true));
  expect(told.state).toMatchObject({ phase: "marked", confirmation: { state: "armed" } });
  const confirmed = play(told.state, { type: "confirmed", by: "bob" });
  expect(confirmed.effects).toEqual([
    { type: "announce", command: "disarm", to: [lambda, streams] },
    { type: "persist", slot: "release" },
  ]);
  const done = play(confirmed.state, settled(lambda, true, "disarm"), settled(streams, true, "disarm"));
  expect(done.state).toMatchObject({
    phase: "settled",
    outcome: { confirmation: { state: "confirmed", by: "bob" } },
  });
});

it("I2: confirm or revert is decided once", () => {
  const { state } = play(commit(within).state, marked);
  const confirmed = play(state, { type: "confirmed", by: "bob" });
  expect(play(confirmed.state, { type: "tick", elapsedMs: 1e9 }).effects).toEqual([]);
  expect(play(confirmed.state, { type: "rejected" }).effects).toEqual([]);
  const reverting = play(state, { type: "tick", elapsedMs: 1e9 });
  expect(reverting.effects).toEqual([{ type: "persist", slot: "keep" }, { type: "begin-revert" }]);
  expect(play(reverting.state, { type: "confirmed", by: "bob" })).toEqual({
    state: reverting.state,
    effects: [],
  });
});

it("tries a revert again, under a candidate of its own, until it is made", () => {
  const first = play(commit(within).state, marked, { type: "rejected" });
  expect(first.state).toMatchObject({ confirmation: { state: "reverting", proposal: "p1-r1", attempt: 1 } });
  const second = play(first.state, { type: "revert-ended", proposal: "p1-r1", committed: false });
  expect(second.state).toMatchObject({ confirmation: { state: "reverting", proposal: "p1-r2", attempt: 2 } });
  expect(second.effects).toContainEqual({ type: "begin-revert" });
  const late = play(second.state, { type: "revert-ended", proposal: "p1-r1", committed: false });
  expect(late).toEqual({ state: second.state, effects: [] });
  const done = play(second.state, { type: "revert-ended", proposal: "p1-r2", committed: true });
  expect(done.state).toMatchObject({ confirmation: { state: "reverted", proposal: "p1-r2" } });
  expect(done.effects).toContainEqual({ type: "announce", command: "disarm", to: [lambda, streams] });
});

it("a revert's id stays a name; a fresh one is taken where there is one, for each attempt", () => {
  const { state } = play(commit(within).state, marked);
  const context = (freshId: string) => ({ limits: COMMIT_LIMITS, nowMs: 0, freshId });
  const first = step(state, { type: "rejected" }, context("p2")).state;
  expect(first).toMatchObject({ confirmation: { state: "reverting", proposal: "p2", attempt: 1 } });
  const ended = { type: "revert-ended", proposal: "p2", committed: false } as const;
  expect(step(first, ended, context("p3")).state).toMatchObject({
    confirmation: { state: "reverting", proposal: "p3", attempt: 2 },
  });
  expect(revertId("x".repeat(63), 12)).toMatch(/^[a-z0-9-]{1,63}$/);
});

it("recovers behind the decision: marks, frees the slot, begins the revert, tells", () => {
  const recovered = {
    type: "recovered",
    chargeMs: 1,
    registered: new Set([lambda]),
    claimable: [],
    scope: [],
  } as const;
  expect(play(commit().state, recovered).effects).toEqual([{ type: "mark" }]);
  const again = play(commit(within).state, marked, { type: "rejected" }, recovered);
  expect(again.effects).toContainEqual({ type: "begin-revert" });
  expect(again.effects).toContainEqual({ type: "announce", command: "settle", to: [lambda] });
  expect(play(samples().aborted, recovered).effects).toContainEqual({ type: "persist", slot: "release" });
});

it("I11: an outcome that an excused voter has not confirmed stays owed when the proposal is settled", () => {
  const excused = play(commit().state, marked, { type: "deregistered", conductor: lambda });
  const end = play(excused.state, settled(streams, true)).state;
  expect(end.phase).toBe("settled");
  expect(owed(end)).toEqual({ command: "settle", to: [lambda] });
  const confirmed = play(commit().state, marked, settled(lambda, true), {
    type: "deregistered",
    conductor: lambda,
  });
  expect(owed(play(confirmed.state, settled(streams, true)).state).to).toEqual([]);
  expect(owed(commit().state).to).toEqual([]);
});
