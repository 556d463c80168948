import { describe, expect, it } from "vitest";
import type { WriterLease } from "./entry.ts";
import { writerId } from "./entry.ts";
import { sealStep } from "./seal-steps.ts";

const lease = (count: number, state: WriterLease["state"] = "held"): WriterLease => ({
  writer: writerId("w"),
  count,
  state,
});

describe("sealing", () => {
  it("R2: closes after twice the lease without a change, waits twice the lease again, then ends the lanes", () => {
    let step = sealStep(undefined, lease(7), 1000, 100);
    expect(step.next).toEqual({ type: "look", atMs: 1200 });
    step = sealStep(step.state, lease(7), 1199, 100);
    expect(step.next).toEqual({ type: "look", atMs: 1200 });
    step = sealStep(step.state, lease(7), 1200, 100);
    expect(step.next).toEqual({ type: "close", count: 7 });
    step = sealStep(step.state, lease(7, "closing"), 1210, 100);
    expect(step.next).toEqual({ type: "look", atMs: 1410 });
    step = sealStep(step.state, lease(7, "closing"), 1409, 100);
    expect(step.next).toEqual({ type: "look", atMs: 1410 });
    step = sealStep(step.state, lease(7, "closing"), 1410, 100);
    expect(step.next).toEqual({ type: "end-lanes" });
  });

  it("R2: leaves a writer alone that renews, even between the look and the swap", () => {
    const watching = sealStep(undefined, lease(7), 0, 100);
    expect(sealStep(watching.state, lease(8), 150, 100).next).toEqual({ type: "leave" });
    const closing = sealStep(watching.state, lease(7), 200, 100);
    expect(sealStep(closing.state, lease(8), 201, 100).next).toEqual({ type: "leave" });
  });

  it("R2: counts its own waiting when another sealer has begun", () => {
    const step = sealStep(undefined, lease(7, "closing"), 500, 100);
    expect(step.next).toEqual({ type: "look", atMs: 700 });
  });

  it("ends at once what lanes a closed writer has left without an end", () => {
    expect(sealStep(undefined, lease(7, "closed"), 0, 100).next).toEqual({ type: "end-lanes" });
  });
});
