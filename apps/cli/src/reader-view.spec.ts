import { create } from "@bufbuild/protobuf";
import { LaneStatusSchema } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { expect, it } from "vitest";
import { heldLines, readersText } from "./reader-view.ts";

const lane = create(LaneStatusSchema, {
  lane: "flights.1",
  readers: [
    { query: "query/late@1", epoch: 2n },
    { query: "query/totals@4", epoch: 3n, lag: 5n, holding: "BINDING_MISSING: repair it" },
  ],
});

it("says how far each reader is, and why one does not go on", () => {
  expect(readersText(lane)).toBe(
    "late at epoch 2, all read; totals at epoch 3, 5 behind, HOLDS: BINDING_MISSING: repair it",
  );
});

it("I12: names the lanes that are held, with who holds them and why", () => {
  expect(heldLines([lane])).toEqual(["totals holds flights.1: BINDING_MISSING: repair it"]);
  expect(heldLines([create(LaneStatusSchema, { lane: "other" })])).toEqual([]);
});
