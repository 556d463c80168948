/** What an operator sees of an ingress (docs/operations.md). */
import type { Counter, Metrics, Sample } from "@greco/ports";
import { Fault } from "@greco/service-kit";
import type { ModelHost } from "./model-host.ts";
import type { Outcome } from "./publish-order.ts";

export function messageCounter(metrics: Metrics): Counter {
  return metrics.counter(
    "greco_ingress_messages_total",
    "messages by what became of them: appended, duplicate, or the reason of the refusal",
  );
}

const APPENDED = { outcome: "appended" };
const DUPLICATE = { outcome: "duplicate" };

export function countOutcomes(counter: Counter, outcomes: readonly Outcome[]): void {
  let appended = 0;
  for (const outcome of outcomes)
    if (outcome instanceof Fault) counter.add(1, { outcome: outcome.reason });
    else if (outcome.duplicate) counter.add(1, DUPLICATE);
    else appended += 1;
  if (appended > 0) counter.add(appended, APPENDED);
}

/** Returns what ends it. */
export function observeHosts(metrics: Metrics, hosts: () => readonly ModelHost[]): () => void {
  const ofLanes =
    (value: (lanes: readonly { readonly tail: number; readonly durable: number }[]) => number) => () =>
      hosts().map((host): Sample => {
        const lanes = host.allGroups().flatMap((groups) => groups.open().flatMap((group) => group.lanes));
        return { value: value(lanes), labels: { model: host.model } };
      });
  const ends = [
    metrics.state(
      "greco_ingress_lanes_open",
      "lanes that this ingress writes",
      ofLanes((lanes) => lanes.length),
    ),
    metrics.state(
      "greco_ingress_window_entries",
      "entries appended and not acknowledged yet",
      ofLanes((lanes) => lanes.reduce((sum, { tail, durable }) => sum + tail - durable, 0)),
    ),
    metrics.state("greco_ingress_epoch", "the newest epoch that is known", () =>
      hosts().map(({ model, ledger }) => ({ value: ledger.newest, labels: { model } })),
    ),
  ];
  return () => {
    for (const end of ends) end();
  };
}
