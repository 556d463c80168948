/** What a spec of lane-kit needs around a writer: a clock, ids, a log that says nothing, hints, a ledger to write to. */
import type { ChangedBinding } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { candidateId, epoch as toEpoch, modelId } from "@greco/domain/model";
import type { Clock, Ids, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";

export const MODEL = modelId("flights");
export const STREAM = "stream/flights@1" as EntityIdentity;

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

/** Hints that arrive at once. */
export function directWake(): Wake {
  const listeners = new Map<string, Set<() => void>>();
  return {
    notify: (topic) => {
      for (const listener of listeners.get(topic) ?? []) listener();
    },
    listen(topic, listener) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(listener));
      return () => set.delete(listener);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** No hint ever arrives. */
export const deafWake: Wake = {
  notify: () => undefined,
  listen: () => () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

export type World = {
  readonly laneStore: LaneStore;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly model: typeof MODEL;
};

/** Writes an epoch to the ledger, as a coordinator does. */
export async function commit(
  world: World,
  epoch: number,
  what: { readonly scope?: readonly EntityIdentity[]; readonly bindings?: readonly ChangedBinding[] },
  signal: AbortSignal,
): Promise<Epoch> {
  const committed = toEpoch(epoch);
  const { scope = [STREAM], bindings = [] } = what;
  const candidate = candidateId(`c${epoch}`);
  await world.laneStore.appendLedger(
    { model: MODEL, epoch: committed, candidate, scope, bindings, committedAtMs: 0 },
    signal,
  );
  world.wake.notify(wakeTopics.ledger(MODEL));
  return committed;
}
