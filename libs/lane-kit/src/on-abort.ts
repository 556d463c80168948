/**
 * Many waits on one signal: adding a listener to a signal costs Node a walk over all that it has, so that all waits of
 * a signal share one.
 */
type Shared = { readonly acts: Set<() => void>; readonly abort: () => void };

const shared = new WeakMap<AbortSignal, Shared>();

/** Calls `act` once when the signal aborts, unless the returned function was called before. It has not aborted yet. */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  const { acts, abort } = shared.get(signal) ?? listen(signal);
  // The same function may wait twice.
  const own = (): void => act();
  acts.add(own);
  return () => {
    if (!acts.delete(own) || acts.size > 0) return;
    // A signal that nobody waits on must not be kept alive by its listener.
    shared.delete(signal);
    signal.removeEventListener("abort", abort);
  };
}

function listen(signal: AbortSignal): Shared {
  const acts = new Set<() => void>();
  const abort = (): void => {
    shared.delete(signal);
    for (const act of acts) act();
  };
  signal.addEventListener("abort", abort, { once: true });
  const made = { acts, abort };
  shared.set(signal, made);
  return made;
}
