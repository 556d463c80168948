/**
 * Which rows count (R2). A reader takes the rows, then looks at the state: rows that it took while the lease was held
 * are in every tail that a sealer may read later, so every replay sees the same (I6, I8). Once the lease is closing, or
 * the reader's view of it has lapsed, only rows up to `end` count, and there is none before the seal.
 */
import type { Entry, LaneState, Seq } from "./entry.ts";
import { seq } from "./entry.ts";
import type { LeaseView } from "./lease-view.ts";
import { viewLapsesMs } from "./lease-view.ts";

export type Countable = {
  readonly entries: readonly Entry[];
  /** Everything up to the lane's end was taken with these. */
  readonly ended: boolean;
};

/** `state` and `view` were read after `entries`, which begin at `from` and have no gap. */
export function countable(
  from: Seq,
  entries: readonly Entry[],
  state: LaneState,
  view: LeaseView,
  nowMs: number,
  leaseMs: number,
): Countable {
  const { end } = state;
  if (end !== undefined) {
    const within = entries.filter((entry) => entry.seq <= end);
    return { entries: within, ended: (within.at(-1)?.seq ?? seq(from - 1)) >= end };
  }
  const held = view.state === "held" && nowMs < viewLapsesMs(view, leaseMs);
  return { entries: held ? entries : [], ended: false };
}
