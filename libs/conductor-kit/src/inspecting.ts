/**
 * What outside differs from what the epochs say, put back where that is asked for. It promises nothing, so
 * nothing of it is journaled, and a repeat would find what there is to find.
 *
 * - K4: whatever is mended is locked as prepare, undo and retire lock it, and looked at again under the locks. Only
 *   what differs is locked, so that a commit of something else waits for nobody.
 * - What a proposal is changing is neither told as drift nor mended (`standing`).
 */
import type { BindingRef } from "@greco/domain/epoch";
import { parseEntityIdentity, type EntityKey } from "@greco/domain/model";
import type { Conductor, Drift, InForce } from "./conductor.ts";
import { bindingObject } from "./journal.ts";
import { hasMoved, standing, type Standing } from "./looking.ts";
import { repair } from "./repair.ts";
import type { Session } from "./session.ts";

export type Mode = "drift" | "mend" | "access";

export type Found = {
  /** False: this conductor has nothing to look at. */
  readonly supported: boolean;
  /** 0: none was compared with. */
  readonly version: number;
  readonly drifts: readonly Drift[];
  readonly changing: readonly EntityKey[];
  /** Why it could not look, or not to the end; empty: it did. */
  readonly failure: string;
};

export const nothingFound: Found = { supported: true, version: 0, drifts: [], changing: [], failure: "" };

/** Rejects with what the author's function rejects with, or with the signal's reason. */
export async function inspect(session: Session, mode: Mode, signal: AbortSignal): Promise<Found> {
  const { conductor } = session.context;
  if (conductor[FUNCTION[mode]] === undefined) return { ...nothingFound, supported: false };
  switch (mode) {
    case "drift":
      return await look(session, signal);
    case "mend":
      return await mend(session, signal);
    case "access":
      return { ...nothingFound, drifts: (await conductor.checkAccess?.(signal)) ?? [] };
  }
}

const FUNCTION = { drift: "inspect", mend: "mend", access: "checkAccess" } as const satisfies Record<
  Mode,
  keyof Conductor
>;

async function look(session: Session, signal: AbortSignal): Promise<Found> {
  const { conductor } = session.context;
  const stands = await standing(session, signal);
  const drifts = (await conductor.inspect?.(stands.inForce, signal)) ?? [];
  return foundOf(session, stands, drifts, stands.lost.map(driftOfLost));
}

async function mend(session: Session, signal: AbortSignal): Promise<Found> {
  const { conductor } = session.context;
  const { lost } = await standing(session, signal);
  if (lost.length > 0) await repair(session, lost, signal);
  const stands = await standing(session, signal);
  const still = new Set(stands.lost.map(({ entity }) => entity));
  const bindings = lost.map((ref) => ({ ...driftOfLost(ref), mended: !still.has(ref.entity) }));
  const differs = await conductor.inspect?.(stands.inForce, signal);
  if (differs?.length === 0) return foundOf(session, stands, [], bindings);
  // What is of no one entity may be of any.
  const all = differs === undefined || differs.some(({ entity }) => entity === "");
  const keys = all ? keysOf(stands.inForce) : differs.map(({ entity }) => entity as EntityKey);
  const { drifts, under } = await mendLocked(session, new Set(keys), signal);
  const changing = [...stands.changing, ...under.changing];
  return foundOf(session, { ...under, changing }, drifts, bindings);
}

/** Under the locks nobody prepares, undoes or retires what is mended; who has begun before is left alone. */
async function mendLocked(
  session: Session,
  keys: ReadonlySet<EntityKey>,
  signal: AbortSignal,
): Promise<{ readonly drifts: readonly Drift[]; readonly under: Standing }> {
  const { conductor, log } = session.context;
  for (;;) {
    const before = await standing(session, signal, keys);
    const names = new Set(locksOf(session, before.inForce));
    using _held = await session.locks.acquire([...names], signal);
    const under = await standing(session, signal, keys);
    // An epoch came meanwhile, and stands on other objects.
    if (locksOf(session, under.inForce).some((name) => !names.has(name))) continue;
    const drifts = (await conductor.mend?.(under.inForce, signal)) ?? [];
    for (const { entity, object, reason, mended } of drifts)
      log.warn("conductor.mended", { entity, object, reason, mended: mended === true });
    return { drifts, under };
  }
}

const keysOf = ({ bindings, superseded }: InForce): readonly EntityKey[] =>
  [...bindings, ...superseded].map(({ entity }) => parseEntityIdentity(entity).key);

/** K4: by its entity, and by the names of what it stands on outside. */
const locksOf = ({ journal }: Session, { bindings, superseded }: InForce): readonly string[] =>
  [...bindings, ...superseded].flatMap(({ entity, candidate }) => [
    parseEntityIdentity(entity).key,
    ...(journal.uses.get(bindingObject(entity, candidate)) ?? []),
  ]);

/** Of an entity that has moved on meanwhile nothing is told: it may differ because it was changed. */
function foundOf(
  session: Session,
  { inForce, changing }: Standing,
  drifts: readonly Drift[],
  lost: readonly Drift[],
): Found {
  const moved = new Set(changing);
  const told = drifts.filter(({ entity, mended }) => {
    if (entity === "" || mended === true || !hasMoved(session, inForce, entity)) return true;
    moved.add(entity);
    return false;
  });
  return { ...nothingFound, version: inForce.version, drifts: [...lost, ...told], changing: [...moved] };
}

function driftOfLost({ entity, candidate }: BindingRef): Drift {
  return {
    entity: parseEntityIdentity(entity).key,
    object: `binding of ${entity} for candidate ${candidate}`,
    reason: "BINDING_MISSING",
    message:
      "the ledger names it, and the data plane has lost it: whether anything outside belongs to it cannot be told",
    remedy: "greco repair makes it again; a runtime that needs it asks for it by itself",
  };
}
