/**
 * A stream that outlives its connection: opened again behind the last item that was handed out.
 *
 * W1. No item twice and none left out, as long as the server's streams are resumable from `positionOf`.
 * W2. Only what may pass by itself is waited for: UNAVAILABLE, a lost connection, a restart of the server.
 */
import { createBackoff, DEFAULT_BACKOFF, type BackoffOptions } from "./backoff.ts";
import { GrecoError } from "./error.ts";

export type ResumeOptions<T, P> = {
  /** Opens the stream behind a position. */
  readonly open: (position: P, signal: AbortSignal) => AsyncIterable<T>;
  readonly start: P;
  /** The position to go on from once the item was handed out; `before` is the one before it. */
  readonly positionOf: (item: T, before: P) => P;
  readonly backoff?: BackoffOptions | undefined;
  /** Told of each interruption, for people. */
  readonly onInterrupted?: ((error: GrecoError) => void) | undefined;
};

/** Ends when the stream ends well; throws what does not pass by itself, and the signal's reason. */
export async function* resume<T, P>(
  options: ResumeOptions<T, P>,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const backoff = createBackoff(options.backoff ?? DEFAULT_BACKOFF);
  let position = options.start;
  for (;;) {
    try {
      for await (const item of options.open(position, signal)) {
        backoff.reset();
        // Before it is handed out: whoever leaves the iteration there has had it (W1).
        position = options.positionOf(item, position);
        yield item;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof GrecoError) || !passes(error)) throw error;
      options.onInterrupted?.(error);
      await backoff.wait(error, signal);
    }
  }
}

/** W2 */
function passes({ code, reason }: GrecoError): boolean {
  if (reason === "CONNECTION_CLOSED") return false;
  // Without a reason it does not come from Greco: grpc-js says INTERNAL of a stream that was reset.
  return code === "UNAVAILABLE" || code === "CANCELLED" || (code === "INTERNAL" && reason === "");
}
