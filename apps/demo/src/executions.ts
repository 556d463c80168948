/**
 * Which version of the function handled which message, as it was seen between the runtime and AWS, outside of our code;
 * and whether it is the one that the epoch at the message's position names.
 */
import type { BindingStore, LaneStore } from "@greco/ports";
import type { QueryContent } from "@greco/domain/epoch";
import { type EntityIdentity, epoch, type ModelId } from "@greco/domain/model";

/** A message in a call that was answered, and the version that AWS says answered it. */
export type Execution = { readonly lane: string; readonly seq: number; readonly version: string };

export type Position = { readonly lane: string; readonly seq: number; readonly epoch: number };

export type ExecutionReport = {
  readonly calls: number;
  /** Of all calls: one that was repeated counts again. */
  readonly messages: number;
  /** Positions with a result that no call was seen for. */
  readonly unseen: number;
  /** Executions by another version than the epoch at the position names. */
  readonly wrongVersion: number;
  /** By epoch. */
  readonly versions: Readonly<Record<string, string>>;
};

const LEDGER_PAGE = 200;

/** The number of the version that each epoch names for a query, read from the ledger and the bindings. */
export async function versionsOf(
  stores: { readonly laneStore: LaneStore; readonly bindingStore: BindingStore },
  model: ModelId,
  query: EntityIdentity,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, string>> {
  const versions = new Map<number, string>();
  let version = "none";
  for (let after = 0; ;) {
    const page = await stores.laneStore.readLedger(model, epoch(after), LEDGER_PAGE, signal);
    for (const entry of page) {
      if (entry.bindings.some((each) => each.entity === query)) {
        const binding = await stores.bindingStore.getBinding(model, query, entry.candidate, signal);
        version = versionIn(binding?.content);
      }
      versions.set(entry.epoch, version);
      after = entry.epoch;
    }
    if (page.length < LEDGER_PAGE) return versions;
  }
}

function versionIn(content: string | undefined): string {
  const arn = content === undefined ? undefined : (JSON.parse(content) as QueryContent).lambda?.qualifiedArn;
  return arn?.split(":").at(-1) ?? "none";
}

export function checkExecutions(
  seen: { readonly calls: number; readonly executions: readonly Execution[] },
  positions: readonly Position[],
  versions: ReadonlyMap<number, string>,
): ExecutionReport {
  const epochs = new Map(positions.map(({ lane, seq, epoch: at }) => [`${lane}:${seq}`, at]));
  const left = new Set(epochs.keys());
  let wrongVersion = 0;
  for (const { lane, seq, version } of seen.executions) {
    const place = `${lane}:${seq}`;
    left.delete(place);
    const at = epochs.get(place);
    if (at === undefined || versions.get(at) !== version) wrongVersion += 1;
  }
  return {
    calls: seen.calls,
    messages: seen.executions.length,
    unseen: left.size,
    wrongVersion,
    versions: Object.fromEntries([...versions].map(([at, version]) => [`epoch ${at}`, version])),
  };
}
