/**
 * The version that a model may have to go back to: the base of a commit that waits for its confirmation, or whose
 * revert is under way. The coordinator keeps who holds the model's slot; the registry only reads it.
 */
import { keys } from "@greco/control-kit";
import type { Compare } from "@greco/ports";
import type { Registry } from "../registry.ts";
import { readRecord } from "../store/json.ts";

/** As much as the registry reads of the coordinator's record. */
type SlotRecord = {
  readonly proposal: string;
  readonly armed: boolean;
  /** The proposal whose revert `proposal` is. */
  readonly reverts?: string;
};

export type WayBack = {
  /** Undefined: there is none. */
  readonly to: { readonly proposal: string; readonly version: number } | undefined;
  /** It waits, or is being reverted; otherwise it was only promoted, and may yet turn out to wait. */
  readonly armed: boolean;
  readonly compare: Compare;
};

export async function wayBackOf(
  { store, candidates }: Pick<Registry, "store" | "candidates">,
  model: string,
  signal: AbortSignal,
): Promise<WayBack> {
  const key = keys.slot(model);
  const slot = await readRecord<SlotRecord>(store, key, signal);
  const compare: Compare = { key, target: "modRevision", is: "=", value: slot?.revision ?? 0 };
  if (slot === undefined) return { to: undefined, armed: false, compare };
  const { proposal, armed, reverts } = slot.value;
  const waits = armed || reverts !== undefined;
  const of = reverts ?? proposal;
  // A proposal and its candidate have one id.
  const candidate = (await candidates.record(model, of, signal))?.value;
  const to = candidate?.state === "promoted" ? { proposal: of, version: candidate.baseVersion } : undefined;
  return { to, armed: waits, compare };
}
