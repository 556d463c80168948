import { laneId, writerId } from "@greco/domain/lane";
import type { Claim } from "@greco/ports";
import { describe, expect, it } from "vitest";
import type { AssignmentOptions, UnitView } from "./assignment.ts";
import { assign, ownerOf, ownersOf } from "./assignment.ts";
import { Q } from "./testing/model.ts";

const view = (lane: string, more: Partial<UnitView> = {}): UnitView => ({
  query: Q,
  lane: laneId(lane),
  claim: undefined,
  free: true,
  freeMs: 0,
  ready: true,
  served: true,
  heldMs: undefined,
  ...more,
});
const many = (count: number, more: Partial<UnitView> = {}): UnitView[] =>
  Array.from({ length: count }, (_, at) => view(`s.${at}`, more));
const options = (more: Partial<AssignmentOptions> = {}): AssignmentOptions => ({
  me: "r1",
  live: ["r1", "r2", "r3"],
  graceMs: 1_000,
  claimsAScan: 1_000,
  movesAScan: 2,
  holdMinMs: 500,
  ...more,
});

describe("rendezvous hashing", () => {
  it("gives every member about its share, and every member says the same", () => {
    const units = many(300);
    const shares = new Map<string, number>();
    for (const unit of units) {
      const owner = ownerOf(unit, ["r1", "r2", "r3"]) ?? "";
      expect(ownerOf(unit, ["r3", "r1", "r2"])).toBe(owner);
      shares.set(owner, (shares.get(owner) ?? 0) + 1);
    }
    for (const share of shares.values()) expect(share).toBeGreaterThan(60);
  });

  it("moves only the share of a member that goes", () => {
    const moved = many(300).filter(
      (unit) =>
        ownerOf(unit, ["r1", "r2", "r3"]) !== "r3" &&
        ownerOf(unit, ["r1", "r2"]) !== ownerOf(unit, ["r1", "r2", "r3"]),
    );
    expect(moved).toEqual([]);
  });
});

describe("bounded loads", () => {
  const loadsOf = (units: readonly UnitView[], live: readonly string[]): number[] => {
    const owners = [...ownersOf(units, live).values()];
    return live.map((member) => owners.filter((owner) => owner === member).length);
  };

  it("shares few units evenly, whatever the members are called", () => {
    for (let at = 0; at < 200; at++) {
      const live = [`one-${at}`, `two-${at}`];
      expect(loadsOf(many(2), live)).toEqual([1, 1]);
      expect(loadsOf(many(4), live)).toEqual([2, 2]);
    }
  });

  it("gives nobody more than a quarter above an even share, where there are many", () => {
    for (const load of loadsOf(many(300), ["r1", "r2", "r3"])) expect(load).toBeLessThanOrEqual(125);
    expect(loadsOf(many(2), ["r1", "r2", "r3"]).toSorted()).toEqual([0, 1, 1]);
    expect(loadsOf([], ["r1"])).toEqual([0]);
  });

  it("says the same to every member, whatever order it lists them and the units in", () => {
    const units = many(30);
    const owners = ownersOf(units, ["r1", "r2", "r3"]);
    const again = ownersOf(units.toReversed(), ["r3", "r2", "r1"]);
    for (const unit of units) expect(again.get(unit)).toBe(owners.get(unit));
  });

  it("moves little more than the share of a member that goes", () => {
    const units = many(300);
    const [before, after] = [ownersOf(units, ["r1", "r2", "r3"]), ownersOf(units, ["r1", "r2"])];
    const moved = units.filter((unit) => before.get(unit) !== "r3" && before.get(unit) !== after.get(unit));
    expect(moved.length).toBeLessThan(30);
  });
});

describe("assign", () => {
  it("takes what is free, ready and its own", () => {
    const units = many(90);
    const { take } = assign(units, options());
    expect(take.length).toBeGreaterThan(15);
    const owners = ownersOf(units, ["r1", "r2", "r3"]);
    expect(take.every((unit) => owners.get(unit) === "r1")).toBe(true);
    expect(assign(many(90, { free: false }), options()).take).toEqual([]);
    expect(assign(many(90, { ready: false }), options()).take).toEqual([]);
    expect(assign(many(90, { served: false, freeMs: 9_000 }), options()).take).toEqual([]);
  });

  it("takes what its owner has left lying", () => {
    expect(assign(many(90, { freeMs: 1_000 }), options()).take).toHaveLength(90);
  });

  it("takes no more at once than it may", () => {
    expect(assign(many(90), options({ live: ["r1"], claimsAScan: 7 })).take).toHaveLength(7);
  });

  it("says what it holds rightly, so that a disagreement has to last before anything moves", () => {
    const held = many(90, { free: false, heldMs: 0 });
    const owners = ownersOf(held, ["r1", "r2", "r3"]);
    expect(assign(held, options()).keep).toEqual(held.filter((unit) => owners.get(unit) === "r1"));
  });

  it("gives up what is another's, a few at a time, and nothing that it has just got", () => {
    const claim = { query: Q, inputLane: laneId("s.1"), writer: writerId("r1"), runtime: "r1" } as Claim;
    const held = many(90, { free: false, claim, heldMs: 500 });
    const { giveUp } = assign(held, options());
    expect(giveUp).toHaveLength(2);
    const owners = ownersOf(held, ["r1", "r2", "r3"]);
    expect(giveUp.every((unit) => owners.get(unit) !== "r1")).toBe(true);
    expect(assign(many(90, { free: false, claim, heldMs: 499 }), options()).giveUp).toEqual([]);
    expect(assign(held, options({ live: ["r1"] })).giveUp).toEqual([]);
  });
});
