import type { Entry } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { epoch } from "@greco/domain/model";
import { simulatedClock } from "@greco/simulation";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { findMarkers, firstAtEpoch } from "./markers.ts";
import { createMemoryLaneStore } from "./testing/memory-lane-store.ts";
import { MODEL, STREAM } from "./testing/world.ts";

const never = new AbortController().signal;
const lane = laneId("lane");

/** `E2` is a marker, anything else a message. */
function rows(...what: readonly string[]): Entry[] {
  let current = epoch(0);
  return what.map((text, index) => {
    const at = { seq: seq(index + 1), appendedAtMs: 0 };
    if (text.startsWith("E")) {
      current = epoch(Number(text.slice(1)));
      return { ...at, kind: "marker", epoch: current };
    }
    return { ...at, kind: "data", epoch: current, key: text, payload: new Uint8Array() };
  });
}

describe("where epochs begin in a lane", () => {
  const clock = simulatedClock();
  let laneStore: ReturnType<typeof createMemoryLaneStore>;

  beforeEach(() => {
    laneStore = createMemoryLaneStore({ clock, chance: () => 0.5 });
  });
  async function filled(...what: readonly string[]) {
    const info = { model: MODEL, id: lane, stream: STREAM, writer: writerId("w"), registeredAtMs: 0 };
    await clock.drive(laneStore.registerLane(info, never));
    await clock.drive(laneStore.append(MODEL, [{ lane, entries: rows(...what) }], never));
    return { laneStore, model: MODEL, lane };
  }
  const found = async (place: Parameters<typeof findMarkers>[0], from: number, to: number) =>
    (await clock.drive(findMarkers(place, seq(from), seq(to), never))).map(
      (each) => `E${each.epoch}@${each.seq}`,
    );

  it("finds every marker, and none beyond what was asked for", async () => {
    const place = await filled("E1", "a", "b", "E3", "E4", "c", "d", "e", "E9", "f");
    expect(await found(place, 1, 10)).toEqual(["E1@1", "E3@4", "E4@5", "E9@9"]);
    expect(await found(place, 2, 8)).toEqual(["E3@4", "E4@5"]);
    expect(await found(place, 6, 8)).toEqual([]);
  });

  it("finds them in a lane of many pages by few reads, and ends at its last row", async () => {
    const marks = new Map([
      [1, "E1"],
      [700, "E2"],
      [701, "E3"],
      [1_900, "E7"],
      [4_000, "E8"],
    ]);
    const place = await filled(...Array.from({ length: 4_000 }, (_, at) => marks.get(at + 1) ?? "a"));
    const read = vi.spyOn(laneStore, "read");
    expect(await found(place, 1, 4_000)).toEqual(["E1@1", "E2@700", "E3@701", "E7@1900", "E8@4000"]);
    // Each of three places costs a way down of five halvings at most, and what it ends in.
    expect(read.mock.calls.length).toBeLessThan(24);
    expect(await found(place, 702, 9_000)).toEqual(["E7@1900", "E8@4000"]);
    expect(await found(place, 702, 1_899)).toEqual([]);
    expect(await found(place, 5, 4)).toEqual([]);
  });

  it("finds the first row of an epoch or a later one", async () => {
    const place = await filled("E1", "a", "E3", "b", "E4", "c");
    const first = async (wanted: number) =>
      (await clock.drive(firstAtEpoch(place, seq(1), seq(6), epoch(wanted), never)))?.seq;
    expect([await first(0), await first(1), await first(2), await first(3), await first(4)]).toEqual([
      1, 1, 3, 3, 5,
    ]);
    expect(await first(5)).toBeUndefined();
  });
});
