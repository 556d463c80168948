/** What an operator sees of the coordinator (docs/operations.md). */
import type { Counter, Metrics } from "@greco/ports";
import type { Driver } from "./driver/driver.ts";

export type CoordinatorCounts = {
  /** Changes of phase, by the phase that was come to. */
  readonly phases: Counter;
  /** Answers that counted, by their kind: votes, ready, settled. */
  readonly answers: Counter;
};

export function createCounts(metrics: Metrics): CoordinatorCounts {
  return {
    phases: metrics.counter("greco_coordinator_phases_total", "phases that proposals have come to"),
    answers: metrics.counter(
      "greco_coordinator_answers_total",
      "answers of conductors that counted, by kind",
    ),
  };
}

/** Returns what ends it. */
export function observeDriver(metrics: Metrics, driver: Driver): () => void {
  const ends = [
    metrics.state("greco_coordinator_driving", "1: this replica holds the lead", () => [
      { value: driver.driving ? 1 : 0 },
    ]),
    metrics.state("greco_coordinator_proposals", "proposals not settled yet, by model and phase", () => {
      const counts = new Map<string, { value: number; labels: { model: string; phase: string } }>();
      for (const { model, state } of driver.runners()) {
        const key = `${model} ${state.phase}`;
        const count = counts.get(key) ?? { value: 0, labels: { model, phase: state.phase } };
        count.value += 1;
        counts.set(key, count);
      }
      return counts.values();
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
