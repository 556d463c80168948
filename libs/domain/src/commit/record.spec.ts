import { expect, it } from "vitest";
import type { EntityIdentity } from "../model/ids.ts";
import { PHASES, type Proposal } from "./proposal.ts";
import { decodeProposal, encodeProposal, restoreDetail } from "./record.ts";
import { by, lambda, play, queued, samples, streams, turn, acceptReady } from "./testing/samples.ts";
import { noPlan, type ReadyBinding } from "./vote.ts";

const again = (state: Proposal): Proposal => {
  const { record, detail } = encodeProposal(state);
  const { proposal, external } = decodeProposal(record);
  expect(external).toBe(detail !== undefined);
  return detail === undefined ? proposal : restoreDetail(proposal, detail);
};

it.each(PHASES)("%s comes back with what the protocol needs of it", (phase) => {
  const state = samples()[phase];
  const stored = again(state);
  if (state.phase === "aborting") expect(stored.phase).toBe(state.from.phase);
  else expect(stored.phase).toBe(state.phase);
  expect(stored.facts).toEqual(JSON.parse(JSON.stringify(state.facts)));
});

const many: ReadyBinding[] = Array.from({ length: 10_000 }, (_, index) => ({
  entity: `query/q-${index}@5` as EntityIdentity,
  hash: index % 7 === 0 ? undefined : "a".repeat(64),
}));

it("I5: a commit of thousands of bindings keeps a small record, and its ledger entry can be had from it", () => {
  const start = [turn, by(streams, acceptReady), by(lambda, claimed())];
  const committed = play(queued(), ...start, by(lambda, { kind: "ready", bindings: many }), {
    type: "promoted",
    atMs: 2,
  });
  const { record, detail } = encodeProposal(committed.state);
  expect(record.length).toBeLessThan(64 * 1024);
  expect(detail?.length).toBeGreaterThan(500_000);
  const stored = again(committed.state);
  expect(
    stored.phase === "committed" && stored.bindings.map(({ entity, hash }) => ({ entity, hash })),
  ).toEqual(many.toSorted((a, b) => (a.entity < b.entity ? -1 : 1)));
});

it("I1: a vote that is too large for the record is not half kept: its voter is asked again", () => {
  const ready = play(
    queued(),
    ...[turn, by(streams, acceptReady), by(lambda, claimed())],
    by(lambda, { kind: "ready", bindings: many }),
  );
  expect(ready.state.phase).toBe("ready");
  const stored = again(ready.state);
  expect(stored).toMatchObject({
    phase: "accepted",
    voters: [{ vote: { stage: "asked" } }, { vote: { stage: "ready" } }],
  });
});

it("leaves a scope that is large to the registry, as long as nothing is committed", () => {
  const scope = Array.from({ length: 5_000 }, (_, index) => `stream/s-${index}@1` as EntityIdentity);
  const wide = { ...turn, frozen: { ...turn.frozen, candidate: { ...turn.frozen.candidate, scope } } };
  const { record, detail } = encodeProposal(play(queued(), wide).state);
  expect([detail, record.length < 8_192]).toEqual([undefined, true]);
  expect(decodeProposal(record)).toMatchObject({
    external: false,
    proposal: { frozen: { candidate: { scope: [] } } },
  });
});

it("refuses a record that it does not know", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(() => decodeProposal(bytes("{"))).toThrow("not JSON");
  expect(() => decodeProposal(bytes('{"format":2,"proposal":{"phase":"queued"}}'))).toThrow("format 2");
  expect(() => decodeProposal(bytes('{"format":1,"proposal":{"phase":"gone"}}'))).toThrow("phase gone");
  expect(() => decodeProposal(bytes("null"))).toThrow("does not know");
});

function claimed() {
  return { kind: "accept", plan: { ...noPlan, claims: ["models/flights/entities/query/late"] } } as const;
}
