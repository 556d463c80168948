/**
 * A region whose calls wait for their turn: those of the control plane under one bucket, whatever function or model
 * they are for, GetFunction under another. Counts what was called and what came of it.
 */
import type { Counter } from "@greco/ports";
import { OPERATIONS, type OperationName } from "./operations.ts";
import type { TokenBucket, Urgency } from "./rate.ts";
import { RegionError, type Region } from "./region.ts";

export type Pacing = { readonly control: TokenBucket; readonly reads: TokenBucket };

type AnyCall = (...args: readonly unknown[]) => Promise<unknown>;

/** Of one process; regions of both urgencies share its buckets. */
export function pacedRegion(region: Region, pacing: Pacing, calls: Counter, urgency: Urgency): Region {
  const paced =
    (name: OperationName): AnyCall =>
    async (...args) => {
      const { bucket } = OPERATIONS[name];
      // The last argument of every operation.
      const signal = args.at(-1) as AbortSignal;
      if (bucket !== "none") await pacing[bucket].take(urgency, signal);
      try {
        const result = await (region[name] as AnyCall).apply(region, [...args]);
        calls.add(1, { operation: name, result: "ok" });
        return result;
      } catch (error) {
        calls.add(1, { operation: name, result: error instanceof RegionError ? error.kind : "aborted" });
        throw error;
      }
    };
  const names = Object.keys(OPERATIONS) as OperationName[];
  return Object.fromEntries(names.map((name) => [name, paced(name)])) as unknown as Region;
}
