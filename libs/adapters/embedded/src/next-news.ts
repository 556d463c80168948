/** Waiting for news or for a moment, whichever comes first. */
import type { Clock } from "@greco/ports";
import type { News } from "./news.ts";

/** Resolves on news behind `seen`, after `ms` (undefined: never), or when the signal aborts; leaves nothing behind. */
export async function nextNews(
  news: News,
  clock: Clock,
  seen: number,
  ms: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (ms === undefined) return news.after(seen, signal);
  const over = new AbortController();
  const stop = (): void => over.abort();
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  // Its only rejection is that of the signal, which the caller looks at.
  const ended = (): void => undefined;
  const slept = clock.sleep(ms, over.signal).catch(ended);
  await Promise.race([slept, news.after(seen, over.signal)]);
  signal.removeEventListener("abort", stop);
  stop();
  await slept;
}
