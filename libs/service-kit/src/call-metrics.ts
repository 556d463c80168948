/** Counts and times of the calls that a server answers. */
import type { Clock, Counter, Histogram, Labels, Metrics } from "@greco/ports";
import { Code } from "@greco/contracts/google/rpc/code";
import { codeOf } from "./fault-status.ts";
import type { Fault } from "./fault.ts";
import { methodName, type Endpoint } from "./handlers.ts";

/** From a cached read to a freeze of a large draft. */
const BOUNDS_S = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

const nameOf = new Map<number, string>(Object.entries(Code).map(([name, code]) => [code, name]));

/** A call that began; ends with what is called, once. */
export type CallMeter = (endpoint: Endpoint) => (failure: Fault | undefined) => void;

export function callMeter(metrics: Metrics, clock: Clock): CallMeter {
  const calls = metrics.counter("greco_server_calls_total", "calls answered, by method and code");
  const seconds = metrics.histogram(
    "greco_server_call_seconds",
    "from a unary call's arrival to its answer",
    BOUNDS_S,
  );
  const labels = new Map<string, Labels>();
  return (endpoint) => {
    const startedMs = clock.monotonicMs();
    return (failure) => {
      const one = labelsOf(labels, endpoint, failure);
      count(calls, seconds, one, endpoint.kind === "unary" ? clock.monotonicMs() - startedMs : undefined);
    };
  };
}

function count(calls: Counter, seconds: Histogram, labels: Labels, unaryMs: number | undefined): void {
  calls.add(1, labels);
  if (unaryMs !== undefined) seconds.record(unaryMs / 1_000, labels);
}

/** One object for each pair, by which a series is found at once. */
function labelsOf(known: Map<string, Labels>, { method }: Endpoint, failure: Fault | undefined): Labels {
  const code = failure === undefined ? "OK" : (nameOf.get(codeOf(failure)) ?? "UNKNOWN");
  const name = methodName(method);
  const key = `${name} ${code}`;
  let labels = known.get(key);
  if (labels === undefined) known.set(key, (labels = { method: name, code }));
  return labels;
}
