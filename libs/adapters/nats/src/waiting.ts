/** What the client's calls lack: an end by a signal. */
import { StoreUnavailableError } from "@greco/ports";

/** Rejects with the signal's reason as soon as it aborts; what `work` comes to is then of no interest. */
export async function until<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

export const closedError = (what: string): StoreUnavailableError =>
  new StoreUnavailableError(`${what} is closed`);

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
