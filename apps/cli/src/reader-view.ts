/** Who reads a lane, how far each has come, and who does not go on. */
import type { LaneStatus } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { nameOfIdentity } from "./short-name.ts";

/** `totals at epoch 3, 2 behind, HOLDS: BINDING_MISSING: …` */
export function readersText({ readers }: Pick<LaneStatus, "readers">): string {
  return readers
    .map(({ query, epoch, lag, holding }) => {
      const far = lag === 0n ? "all read" : `${lag} behind`;
      const held = holding === "" ? "" : `, HOLDS: ${holding}`;
      return `${nameOfIdentity(query)} at epoch ${epoch}, ${far}${held}`;
    })
    .join("; ");
}

/** One line a held lane and query: `totals holds flights.01…: BINDING_MISSING: …` */
export function heldLines(lanes: readonly Pick<LaneStatus, "lane" | "readers">[]): readonly string[] {
  return lanes.flatMap(({ lane, readers }) =>
    readers
      .filter(({ holding }) => holding !== "")
      .map(({ query, holding }) => `${nameOfIdentity(query)} holds ${lane}: ${holding}`),
  );
}
