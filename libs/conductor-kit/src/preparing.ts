/**
 * A prepare: everything that can fail, under names that are not live. Bindings of the candidate are durable
 * in the data plane before ready (R6), and the intent in the journal before the first create (K1), with what
 * the way back needs pinned (K4). What runs as before gets no new binding.
 */
import type { Binding, BindingRef, EpochIndex } from "@greco/domain/epoch";
import { epoch, hashOf, type CandidateId, type EntityIdentity, type EntityKey } from "@greco/domain/model";
import { PrepareError, type Affected, type Finding, type ModelView, type Preparation } from "./conductor.ts";
import { StoreUnknownError } from "@greco/ports";
import type { SessionContext } from "./context.ts";
import { bindingObject, type StoredRef } from "./journal.ts";
import type { View, ViewChange } from "./view.ts";

/** What was claimed, with its two sides. */
export function claimedOf(
  claims: readonly EntityKey[],
  changes: readonly ViewChange[],
  { before, after }: { readonly before: View; readonly after: View },
): readonly Affected[] {
  const changed = new Set(changes.map((change) => change.key));
  return claims.flatMap((key): Affected[] => {
    const old = before.get(key);
    const now = after.get(key);
    const identity = now?.identity ?? old?.identity;
    if (identity === undefined) return [];
    return [{ key, identity, change: changeOf(old, now, changed.has(key)), before: old, after: now }];
  });
}

function changeOf(before: unknown, after: unknown, listed: boolean): Affected["change"] {
  if (after === undefined) return "delete";
  if (before === undefined) return "create";
  return listed ? "update" : "none";
}

/** K1: the rows that a prepare of these entities may write. */
export const objectsOf = (claimed: readonly Affected[], candidate: CandidateId): readonly string[] =>
  claimed.filter((each) => each.change !== "delete").map((each) => bindingObject(each.identity, candidate));

/** K4: bindings that the way back, or a restore of an older version, may want again. */
export function keepsOf(
  index: EpochIndex,
  claimed: readonly Affected[],
  at: readonly number[],
): readonly string[] {
  return at.flatMap((version) =>
    claimed.flatMap(({ key }) => {
      const identity = index.identityAt(epoch(version), key);
      const binding = identity === undefined ? undefined : index.bindingAt(epoch(version), identity);
      return binding === undefined ? [] : [bindingObject(binding.entity, binding.candidate)];
    }),
  );
}

/** What a prepare of a candidate stands on. */
export type Draft = {
  readonly candidate: CandidateId;
  readonly base: number;
  readonly claimed: readonly Affected[];
  readonly before: ModelView;
  readonly after: ModelView;
  readonly index: EpochIndex;
};

/** Calls the author, writes what differs from the bindings in force, durably (R6), and names it. */
export async function prepare(
  context: SessionContext,
  draft: Draft,
  intend: Preparation["intend"],
  { signal, ending }: { readonly signal: AbortSignal; readonly ending: AbortSignal },
): Promise<readonly StoredRef[]> {
  const { conductor, model } = context;
  const { candidate, base, claimed, before, after, index } = draft;
  const made = await conductor.prepare({ model, candidate, claimed, before, after, intend }, signal);
  signal.throwIfAborted();

  const inForce = (entity: EntityIdentity): BindingRef | undefined => index.bindingAt(epoch(base), entity);
  const missing = new Set<EntityIdentity>(claimed.map((each) => each.identity));
  const refs: StoredRef[] = [];
  const rows: Binding[] = [];
  for (const { entity, content, uses } of made) {
    if (!missing.delete(entity))
      throw new Error(`conductor ${conductor.name} made a binding of ${entity}, which it did not claim`);
    const hash = hashOf(content);
    // What runs as before gets no new binding, and its queries need not drain.
    if (inForce(entity)?.hash === hash) continue;
    rows.push({ model, entity, candidate, hash, content });
    refs.push({ entity, hash, ...(uses === undefined || uses.length === 0 ? {} : { uses }) });
  }
  for (const entity of missing) if (inForce(entity) !== undefined) refs.push({ entity, hash: "" });
  await writeBindings(context, rows, ending);
  return refs;
}

/**
 * K3: a write that began is awaited, whatever became of the proposal meanwhile; one whose end is unknown may
 * still land, and gets its quiet time.
 */
export async function writeBindings(
  { bindingStore, clock, limits }: SessionContext,
  rows: readonly Binding[],
  ending: AbortSignal,
): Promise<void> {
  for (let at = 0; at < rows.length; at += limits.bindingBatch)
    try {
      await bindingStore.putBindings(rows.slice(at, at + limits.bindingBatch), ending);
    } catch (error) {
      if (error instanceof StoreUnknownError) await clock.sleep(limits.quietMs, ending);
      throw error;
    }
}

/** Why a prepare failed, as findings: the author's own, or one that says what was thrown. */
export function failureOf(
  error: unknown,
  claims: readonly EntityKey[],
  conductor: string,
): readonly Finding[] {
  if (error instanceof PrepareError && error.findings.length > 0) return error.findings;
  const message = error instanceof Error ? error.message : String(error);
  return [
    {
      severity: "error",
      entity: claims[0] ?? "",
      fieldPath: "",
      reason: "PREPARE_FAILED",
      message: `conductor ${conductor} could not prepare: ${message}`,
      remedy: "propose it again; if it fails again, look at the conductor's log",
    },
  ];
}
