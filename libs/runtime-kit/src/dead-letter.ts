/** What stands in the dead letters for an input that a query gives up. */
import type { DeadLetterPayload } from "@greco/domain/epoch";
import type { DataEntry, LaneId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import type { NewEntry } from "@greco/lane-kit";
import type { Letter } from "./call-window.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function deadLetterEntry(
  query: EntityIdentity,
  lane: LaneId,
  entry: DataEntry,
  { reason, message, attempts, by }: Letter,
): NewEntry {
  const { seq, epoch, key } = entry;
  const letter: DeadLetterPayload = {
    query,
    lane,
    seq,
    epoch,
    reason,
    message,
    attempts,
    ...(by === undefined ? {} : { by }),
    payload: decoder.decode(entry.payload),
  };
  const payload = encoder.encode(JSON.stringify(letter));
  return { key, payload, source: { query, lane, seq, index: 0 } };
}
