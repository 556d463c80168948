/** Waits until a query has read every lane of its stream to the end of now. */
import type { Clock } from "@greco/ports";
import type { Clients } from "./story.ts";

export type Reading = {
  /** `models/{model}` */
  readonly parent: string;
  readonly stream: string;
  readonly query: string;
};

/** What is unread does not shrink for so long: the run is stuck, not slow. */
const STUCK_MS = 60_000;
const POLL_MS = 50;

export class StuckError extends Error {
  override name = "StuckError";
}

/** Rejects with a StuckError when it does not go on. */
export async function drained(
  { ingress }: Pick<Clients, "ingress">,
  { parent, stream, query }: Reading,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let before = "";
  let sinceMs = clock.monotonicMs();
  for (;;) {
    const { lanes } = await ingress.listLanes(
      { parent, stream, includeEnded: true, pageSize: 1_000 },
      { signal },
    );
    const unread = lanes.map(
      ({ readers, tailSeq }) =>
        readers.find((reader) => reader.query.startsWith(`query/${query}@`))?.lag ?? tailSeq,
    );
    if (lanes.length > 0 && unread.every((lag) => lag === 0n)) return;
    const now = unread.join(", ");
    const nowMs = clock.monotonicMs();
    if (now !== before) {
      before = now;
      sinceMs = nowMs;
    } else if (nowMs - sinceMs > STUCK_MS)
      throw new StuckError(
        `${query} has made no progress for ${STUCK_MS / 1_000} s; unread in the lanes of ${stream}: ${now}`,
      );
    await clock.sleep(POLL_MS, signal);
  }
}
