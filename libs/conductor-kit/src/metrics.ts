/** What an operator sees of a conductor (docs/operations.md). */
import type { Metrics, Sample } from "@greco/ports";
import type { RunningConductor } from "./host.ts";

/** Returns what ends it. */
export function observeConductor(metrics: Metrics, { status }: RunningConductor): () => void {
  const ends = [
    metrics.state("greco_conductor_sessions", "1: it works for the model; 0: it tries to", () =>
      [...status()].map(([model, member]) => ({ value: member === undefined ? 0 : 1, labels: { model } })),
    ),
    metrics.state("greco_conductor_incarnation", "its starts in the model; grows at each take-over", () =>
      [...status()].flatMap(([model, member]) =>
        member === undefined ? [] : [{ value: member.incarnation, labels: { model } }],
      ),
    ),
    metrics.state("greco_conductor_view_version", "the version that its view holds; -1: none yet", () =>
      [...status()].flatMap(([model, member]) =>
        member === undefined ? [] : [{ value: member.viewVersion, labels: { model } }],
      ),
    ),
    metrics.state(
      "greco_conductor_candidates",
      "candidates in its journal by phase; accepted, preparing and ready are open work, undoing is owed",
      () => [...status()].flatMap(([model, member]) => candidatesOf(model, member?.candidates ?? [])),
    ),
    metrics.state(
      "greco_conductor_lagging",
      "bindings that nothing needs any more and whose retire was refused, the last time; the log tells why",
      () =>
        [...status()].flatMap(([model, member]) =>
          member === undefined ? [] : [{ value: member.lagging, labels: { model } }],
        ),
    ),
    metrics.state(
      "greco_conductor_drift",
      "what it found to differ outside from what the versions say, by its last look; greco drift tells what",
      () =>
        [...status()].flatMap(([model, member]) =>
          member?.differences === undefined ? [] : [{ value: member.differences, labels: { model } }],
        ),
    ),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function candidatesOf(model: string, candidates: readonly { readonly phase: string }[]): Sample[] {
  const counts = Map.groupBy(candidates, ({ phase }) => phase);
  return [...counts].map(([phase, some]) => ({ value: some.length, labels: { model, phase } }));
}
