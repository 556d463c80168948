/**
 * The same change as ordinary reloads, replayed in one process: the same flights go, at the pace of the
 * run's rate but without waiting, through four simulated runtimes that take them in turn and reload one
 * after the other; the programs run on the same worker host that Greco's runtime uses. Query and table are two
 * artefacts, so each runtime gets its new query first and its new table with the next reload; in between
 * it runs a mixture.
 *
 * What is wrong is counted by one rule for both ways: from the moment of the change on, a flight is paid
 * by version 2, before it by version 1. The moment is the first reload here, and the marker in each lane
 * with Greco.
 */
import { createHash } from "node:crypto";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import type { EntityFile } from "@greco/entity-files";
import type { FunctionHost, Invocation, Program } from "@greco/ports";
import { createLog, systemClock } from "@greco/service-kit";
import type { CheckReport } from "./checker.ts";
import { eurosByHand } from "./evaluate.ts";

export type Flight = { readonly delay: number; readonly distance: number };

export type Wrong = {
  /** Paid by a mixture: neither what version 1 gives nor what version 2 gives. */
  readonly mixedFlights: number;
  /** Paid other than version 2 says although the change was in effect, by whole old rules. */
  readonly lateFlights: number;
  /** What all of them got too much or too little. */
  readonly wrongEuros: number;
};

const RUNTIMES = 4;
const THREADS = 1;
/** Quick for a rollout. In flights it is as many as the rate brings meanwhile. */
export const RELOAD_EVERY_S = 2;
const BEGINS_AT = 0.4;
const BATCH = 100;

class Tally {
  mixedFlights = 0;
  lateFlights = 0;
  wrongEuros = 0;

  add(flight: Flight, paid: number, changed: boolean): void {
    const right = eurosByHand(changed ? 2 : 1, flight);
    if (paid === right) return;
    this.wrongEuros += Math.abs(paid - right);
    if (paid === eurosByHand(1, flight)) this.lateFlights += 1;
    else this.mixedFlights += 1;
  }

  get wrong(): Wrong {
    const { mixedFlights, lateFlights, wrongEuros } = this;
    return { mixedFlights, lateFlights, wrongEuros };
  }
}

/** What Greco's stored results pay wrongly. */
export function wrongOf(flights: readonly Flight[], check: CheckReport, switchEpoch: number): Wrong {
  const after = new Map(check.lanes.map((lane) => [lane.lane, lane.markerSeq]));
  const tally = new Tally();
  for (const { lane, seq, output } of check.records) {
    const flight = flights[(check.inputAt.get(`${lane}:${seq}`) ?? 0) - 1];
    const marker = after.get(lane);
    if (flight === undefined || marker === undefined) {
      throw new Error(
        `the result at ${lane}:${seq} has no flight, or its lane no marker of epoch ${switchEpoch}`,
      );
    }
    tally.add(flight, (output as { euros: number }).euros, seq > marker);
  }
  return tally.wrong;
}

function contents(entities: readonly EntityFile[]): { readonly query: string; readonly table: string } {
  const spec = (kind: string, name: string) =>
    entities.find((each) => each.kind === kind && each.name === name)?.spec;
  const query = spec("query", "compensation") as { from: string; to: string; select: Record<string, string> };
  const table = spec("table", "bands") as unknown as Omit<TableContent, "name">;
  const content: QueryContent = {
    name: "compensation",
    from: query.from,
    to: query.to,
    tables: ["bands"],
    select: query.select,
    onError: { retries: 0, then: "skip" },
    timeoutMs: 1_000,
    schemas: { from: spec("stream", "flights")?.["schema"] ?? {}, tables: { bands: table.schema } },
  };
  return { query: JSON.stringify(content), table: JSON.stringify({ name: "bands", ...table }) };
}

function program(query: string, table: string): Program {
  const id = createHash("sha256").update(query).update(table).digest("hex");
  return { id, query, tables: { bands: table } };
}

async function pay(
  host: FunctionHost,
  programId: string,
  flights: readonly Flight[],
  signal: AbortSignal,
): Promise<number[]> {
  const encoder = new TextEncoder();
  const calls = flights.map((flight, index): Invocation => ({
    payload: encoder.encode(JSON.stringify(flight)),
    key: "",
    idempotencyKey: String(index),
    context: { lane: "rolling", seq: index + 1, epoch: 1 },
  }));
  const outcomes = await host.invoke(programId, calls, signal);
  return outcomes.map((outcome) => {
    const output = outcome.type === "outputs" ? outcome.outputs[0] : undefined;
    if (output === undefined) throw new Error(`a flight was not paid: ${JSON.stringify(outcome)}`);
    return (JSON.parse(new TextDecoder().decode(output.payload)) as { euros: number }).euros;
  });
}

export async function runRolling(
  flights: readonly Flight[],
  before: readonly EntityFile[],
  after: readonly EntityFile[],
  /** Flights a second. */
  rate: number,
  signal: AbortSignal,
): Promise<Wrong> {
  const old = contents(before);
  const fresh = contents(after);
  const programs = [
    program(old.query, old.table),
    program(fresh.query, old.table),
    program(fresh.query, fresh.table),
  ] as const;
  const log = createLog({ service: "rolling", level: "error" });
  await using host = createWorkerFunctionHost({ threads: THREADS, clock: systemClock, log });
  for (const each of programs) await host.load(each, signal);
  // How far each runtime is: nothing, the query, the query and the table.
  const stages: (0 | 1 | 2)[] = Array.from({ length: RUNTIMES }, () => 0);
  const reloads = stages.flatMap((_, runtime) => [() => (stages[runtime] = 1), () => (stages[runtime] = 2)]);
  const begin = Math.floor((flights.length * BEGINS_AT) / BATCH) * BATCH;
  const between = rate * RELOAD_EVERY_S;
  const tally = new Tally();
  for (let at = 0, next = begin, batch = 0; at < flights.length; at += BATCH, batch += 1) {
    for (; at >= next && reloads.length > 0; next += between) reloads.shift()?.();
    const some = flights.slice(at, at + BATCH);
    const { id } = programs[stages[batch % RUNTIMES] ?? 0];
    const paid = await pay(host, id, some, signal);
    some.forEach((flight, index) => tally.add(flight, paid[index] ?? 0, at >= begin));
  }
  return tally.wrong;
}
