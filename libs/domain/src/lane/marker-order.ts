/**
 * R4: markers enter a lane in ledger order, and only grow.
 *
 * A lane of an ingress takes the marker of every epoch in whose scope its stream is, as soon as the ledger shows it. A
 * derived lane takes some from its input (the stream above is in scope: the marker is forwarded where the input has
 * it) and its writer inserts the others (only what is below changed); one to be inserted waits for every lower epoch
 * that is still to be forwarded, because the output of the old query above must not stand behind the newer marker.
 */
import type { EpochIndex } from "../epoch/epoch-index.ts";
import type { EntityIdentity, Epoch } from "../model/ids.ts";

export type MarkersDue = {
  /** To be taken into the lane now, in this order. */
  readonly markers: readonly Epoch[];
  /** What the lane is current to once they are in it. */
  readonly current: Epoch;
};

/** For a lane that follows the ledger, is current to `current`, and may take in what there is up to `upTo`. */
export function dueFromLedger(
  index: EpochIndex,
  stream: EntityIdentity,
  current: Epoch,
  upTo: Epoch,
): MarkersDue {
  const markers = index
    .entries(current)
    .map((entry) => entry.epoch)
    .filter((epoch) => epoch <= upTo && index.inScope(epoch, stream));
  const reached = Math.min(upTo, index.newest) as Epoch;
  return { markers, current: reached > current ? reached : current };
}

/**
 * For a derived lane that is current to `current`, whose reader stands behind everything of the input up to
 * `inputEpoch` (the epoch at its position). To be asked again whenever the ledger grows or the input shows a marker;
 * what was under way of an older epoch must be in the lane first.
 */
export function dueMarkers(
  index: EpochIndex,
  streams: { readonly input: EntityIdentity; readonly output: EntityIdentity },
  current: Epoch,
  inputEpoch: Epoch,
): MarkersDue {
  const markers: Epoch[] = [];
  let reached = current;
  for (const { epoch } of index.entries(current)) {
    // R4: this one comes through the input, and nothing above it may go first.
    if (epoch > inputEpoch && index.inScope(epoch, streams.input)) break;
    if (index.inScope(epoch, streams.output)) markers.push(epoch);
    reached = epoch;
  }
  return { markers, current: reached };
}
