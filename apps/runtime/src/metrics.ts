/** What an operator sees of a runtime (docs/operations.md). */
import type { LaneStore, Metrics, Sample } from "@greco/ports";
import type { RunnerStatus, RuntimeCounts, UnitStatus } from "@greco/runtime-kit";

/** A look costs a read for each lane that is worked on; of more than these the rest is not looked at. */
const LANES_MAX = 500;
const READS_AT_ONCE = 16;

const totals = {
  inputs: "greco_runtime_inputs_total",
  outputs: "greco_runtime_outputs_total",
  retries: "greco_runtime_retries_total",
  deadLetters: "greco_runtime_dead_letters_total",
  skipped: "greco_runtime_skipped_total",
  lettersDropped: "greco_runtime_letters_dropped_total",
  unretained: "greco_runtime_below_retention_total",
} as const satisfies Record<keyof RuntimeCounts, string>;

const about: Record<keyof RuntimeCounts, string> = {
  inputs: "messages handled",
  outputs: "messages written to derived lanes",
  retries: "calls tried again",
  deadLetters: "messages given up to the dead-letter stream",
  skipped: "messages skipped, as their query says",
  lettersDropped: "dead letters of dead letters, dropped",
  unretained: "messages gone, past their retention, before they were read",
};

/** Returns what ends it. `signal` ends the reads that a look asks for. */
export function observeRuntime(
  metrics: Metrics,
  status: () => readonly RunnerStatus[],
  laneStore: LaneStore,
  signal: AbortSignal,
): () => void {
  const ofUnits = (sample: (unit: UnitStatus) => number | undefined) => (): Sample[] =>
    status().flatMap(({ model, units }) =>
      units.flatMap((unit) => {
        const value = sample(unit);
        return value === undefined ? [] : [{ value, labels: labelsOf(model, unit) }];
      }),
    );
  const ends = [
    ...(Object.keys(totals) as (keyof RuntimeCounts)[]).map((count) =>
      metrics.state(totals[count], about[count], () =>
        status().map(({ model, counts }) => ({ value: counts[count], labels: { model } })),
      ),
    ),
    metrics.state("greco_runtime_epoch", "the newest epoch that is known", () =>
      status().map(({ model, ledger }) => ({ value: ledger, labels: { model } })),
    ),
    metrics.state("greco_runtime_members", "runtimes that share the work, as this one sees it", () =>
      status().map(({ model, members }) => ({ value: members.length, labels: { model } })),
    ),
    metrics.state(
      "greco_runtime_unresolved",
      "queries of which it is not known what they read (a binding is missing)",
      () => status().map(({ model, unresolved }) => ({ value: unresolved.length, labels: { model } })),
    ),
    metrics.state(
      "greco_runtime_holding",
      "1: the query does not go on in this lane; greco status says why",
      ofUnits(({ holding }) => (holding === undefined ? undefined : 1)),
    ),
    metrics.state(
      "greco_runtime_lane_epoch",
      "the epoch of what was done last",
      ofUnits(({ done }) => done.epoch),
    ),
    metrics.state("greco_runtime_lane_lag", "entries in the lane behind what is done", async () => {
      const worked = status()
        .flatMap(({ model, units }) => units.map((unit) => ({ model, unit })))
        .slice(0, LANES_MAX);
      return eachOf(worked, READS_AT_ONCE, async ({ model, unit }): Promise<Sample> => {
        const tail = await laneStore.tail(model, unit.lane, signal);
        return { value: Math.max(0, tail - unit.done.seq), labels: labelsOf(model, unit) };
      });
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function labelsOf(model: string, { query, lane }: UnitStatus) {
  return { model, query, lane };
}

async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += atOnce)
    results.push(...(await Promise.all(items.slice(from, from + atOnce).map(work))));
  return results;
}
