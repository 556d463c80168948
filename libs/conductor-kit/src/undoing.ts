/**
 * Release and undo: what must not fail, done until it is. An undo works from the intent in the journal (K1),
 * waits a quiet time when a dead incarnation may have a request outstanding, removes, and looks again: it is
 * confirmed only when nothing of the candidate is left (K3).
 */
import type { CandidateId, EntityKey } from "@greco/domain/model";
import { untilDone } from "./backoff.ts";
import type { Outcome } from "./conductor.ts";
import { backoffOf, type SessionContext } from "./context.ts";
import { bindingObject } from "./journal.ts";
import type { KeyedLocks } from "./locks.ts";

/** What belongs to a candidate, as its journal entry holds it. */
export type Belongings = {
  readonly candidate: CandidateId;
  readonly claims: readonly EntityKey[];
  readonly objects: readonly string[];
};

const isBinding = (object: string): boolean => object.startsWith("binding/");

/** Objects of the author's own; binding rows are the kit's. */
export const outside = (objects: readonly string[]): readonly string[] =>
  objects.filter((object) => !isBinding(object));

export const outcomeOf = (
  { model }: SessionContext,
  { candidate, claims, objects }: Belongings,
): Outcome => ({
  model,
  candidate,
  claims,
  objects: outside(objects),
});

/** K4: an A is locked by its entity, and by its own name where it stands outside. */
export const lockNames = ({ claims, objects }: Omit<Belongings, "candidate">): readonly string[] => [
  ...claims,
  ...outside(objects),
];

export async function release(
  context: SessionContext,
  belongings: Belongings,
  signal: AbortSignal,
): Promise<void> {
  if (belongings.claims.length === 0) return;
  const outcome = outcomeOf(context, belongings);
  await untilDone(
    backoffOf(context),
    signal,
    () => context.conductor.release(outcome, signal),
    lags(context, "release", belongings.candidate),
  );
}

export async function undo(
  context: SessionContext,
  locks: KeyedLocks,
  belongings: Belongings,
  quietUntilMs: number,
  isPinned: (object: string) => boolean,
  undone: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (belongings.objects.length === 0) return undone();
  using _held = await locks.acquire(lockNames(belongings), signal);
  const waitMs = quietUntilMs - context.clock.monotonicMs();
  if (waitMs > 0) await context.clock.sleep(waitMs, signal);
  await untilDone(
    backoffOf(context),
    signal,
    () => removeAll(context, belongings, isPinned, signal),
    lags(context, "undo", belongings.candidate),
  );
  // K4: before the locks are given back, or the next undo of what both had would leave it to this one.
  await undone();
}

async function removeAll(
  context: SessionContext,
  belongings: Belongings,
  isPinned: (object: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { bindingStore, conductor, model } = context;
  const { candidate } = belongings;
  // K4: what it only shared with another candidate or an epoch stays. Under the locks of all its objects.
  const objects = belongings.objects.filter((object) => isBinding(object) || !isPinned(object));
  await conductor.undo(outcomeOf(context, { ...belongings, objects }), signal);
  const intended = new Set(belongings.objects.filter(isBinding));
  // By tag, and again until a look finds nothing: what another conductor wrote for the candidate is not ours.
  for (;;) {
    const left = (await bindingStore.listBindings(model, candidate, signal)).filter(({ entity }) =>
      intended.has(bindingObject(entity, candidate)),
    );
    if (left.length === 0) return;
    for (const { entity } of left) await bindingStore.deleteBinding(model, entity, candidate, signal);
  }
}

/** It cannot refuse, so it is shown. */
function lags(
  { log, clock, limits }: SessionContext,
  what: string,
  candidate: CandidateId,
): (error: unknown, attempt: number) => "again" {
  const since = clock.monotonicMs();
  return (error, attempt) => {
    const forMs = Math.round(clock.monotonicMs() - since);
    const fields = { what, candidate, attempt, forMs, error };
    if (forMs >= limits.laggingMs) log.error("conductor.lags", fields);
    else log.warn("conductor.tries-again", fields);
    return "again";
  };
}
