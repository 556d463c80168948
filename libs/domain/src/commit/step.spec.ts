import { expect, it } from "vitest";
import type { ConductorId, Epoch } from "../model/ids.ts";
import type { CommitEvent, EventKind } from "./event.ts";
import { PHASES, type Phase } from "./proposal.ts";
import { step } from "./step.ts";
import { TRANSITIONS } from "./table.ts";
import { by, context, frozen, lambda, ready, samples, streams, turn } from "./testing/samples.ts";

const registered = new Set<ConductorId>([lambda, streams]);
const events = {
  turn,
  answer: by(lambda, ready),
  tick: { type: "tick", elapsedMs: 1 },
  remind: { type: "remind" },
  refused: { type: "refused", why: "head-moved", detail: "" },
  promoted: { type: "promoted", atMs: 3 },
  discarded: { type: "discarded" },
  marked: { type: "marked" },
  withdrawn: { type: "withdrawn", by: "ann", reason: "" },
  deregistered: { type: "deregistered", conductor: lambda },
  confirmed: { type: "confirmed", by: "ann" },
  rejected: { type: "rejected" },
  "revert-ended": { type: "revert-ended", proposal: "p1-r1", committed: true },
  recovered: { type: "recovered", chargeMs: 1, registered, claimable: [], scope: frozen.candidate.scope },
} as const satisfies Record<EventKind, CommitEvent>;

it("is in every phase when its sample says so", () => {
  for (const phase of PHASES) expect(samples()[phase].phase).toBe(phase);
});

it.each(PHASES)("in %s takes each event as the table says, and no other", (phase: Phase) => {
  for (const event of Object.values(events)) {
    // Promoted while aborting is the other decision; it can only have come from ready.
    const from = phase === "aborting" && event.type === "promoted" ? abortingFromReady() : samples()[phase];
    const allowed: readonly Phase[] = TRANSITIONS[phase][event.type];
    const next = step(from, event, context);
    if (allowed.length === 0) expect(next).toEqual({ state: from, effects: [] });
    else expect([...allowed, phase]).toContain(next.state.phase);
  }
});

const abortingFromReady = () =>
  step(samples().ready, { type: "withdrawn", by: "ann", reason: "" }, context).state;

it("I2: nothing leads from committed to aborted or back", () => {
  for (const event of Object.values(events)) {
    expect(["committed", "marked", "settled"]).toContain(
      step(samples().committed, event, context).state.phase,
    );
    expect(["aborted", "settled"]).toContain(step(samples().aborted, event, context).state.phase);
  }
});

it("has no way back to a phase before", () => {
  const order: readonly Phase[] = [
    "queued",
    "proposed",
    "accepted",
    "ready",
    "committed",
    "marked",
    "settled",
  ];
  for (const [from, row] of Object.entries(TRANSITIONS))
    for (const to of Object.values(row).flat())
      if (order.includes(from as Phase) && order.includes(to as Phase))
        expect(order.indexOf(to as Phase)).toBeGreaterThanOrEqual(order.indexOf(from as Phase));
});

it("I3: a stale candidate aborts before anybody is asked", () => {
  const { state, effects } = step(samples().queued, { ...turn, head: 5 as Epoch }, context);
  expect(state).toMatchObject({ phase: "aborting", abort: { cause: "stale" } });
  expect(effects).toEqual([{ type: "discard" }]);
});
