/**
 * What a change pays wrongly, by ordinary reloads and by Greco, counted by the same rule.
 *
 * The same change as ordinary reloads: four workers, each with its own copy of the query and of the
 * table. The new query is rolled out worker by worker, then the new table is, as two deployments are.
 * In between a worker runs a mixture, and what a mixture pays is money paid wrongly: neither version's
 * rules give that sum.
 */
import { compileCel, createCelEnvironment } from "@greco/expression";
import type { CheckReport } from "./checker.ts";
import type { EntityFile } from "@greco/entity-files";
import { eurosByHand } from "./evaluate.ts";

export type Wrong = {
  /** Flights paid by a mixture: neither what version 1 pays nor what version 2 pays. */
  readonly mixedFlights: number;
  /** The sum of what they got too much or too little, against version 2. */
  readonly wrongEuros: number;
};

export type RollingReport = Wrong & {
  /** Flights handled under old rules although another worker was already on the new ones. */
  readonly inconsistentFlights: number;
};

type Flight = { readonly delay: number; readonly distance: number };
type Row = Readonly<Record<string, unknown>>;
type Worker = {
  query: (bindings: Record<string, unknown>) => unknown;
  table: Record<string, Row>;
  version: { query: 1 | 2; table: 1 | 2 };
};

const WORKERS = 4;
/** Flights between two reloads: 2 s at 700 a second, which is quick for a rollout. */
const FLIGHTS_BETWEEN_RELOADS = 1_400;
const BEGINS_AT = 0.4;

class Tally {
  mixedFlights = 0;
  wrongEuros = 0;
  add(flight: Flight, euros: number): void {
    const right = eurosByHand(2, flight);
    if (euros === right || euros === eurosByHand(1, flight)) return;
    this.mixedFlights += 1;
    this.wrongEuros += Math.abs(euros - right);
  }
}

/** What Greco's stored results pay wrongly, by the same rule. */
export function wrongOf(flights: readonly Flight[], check: CheckReport): Wrong {
  const tally = new Tally();
  for (const { lane, seq, output } of check.records) {
    const flight = flights[(check.inputAt.get(`${lane}:${seq}`) ?? 0) - 1];
    if (flight !== undefined) tally.add(flight, (output as { euros: number }).euros);
  }
  return { mixedFlights: tally.mixedFlights, wrongEuros: tally.wrongEuros };
}

function parts(entities: readonly EntityFile[]): Pick<Worker, "query" | "table"> {
  const query = entities.find((each) => each.kind === "query")?.spec as { select: Record<string, string> };
  const stream = entities.find((each) => each.kind === "stream" && each.name === "flights")?.spec as {
    schema: unknown;
  };
  const table = entities.find((each) => each.kind === "table")?.spec as {
    key: string;
    schema: unknown;
    rows: Row[];
  };
  const environment = createCelEnvironment({
    variables: { event: stream.schema },
    tables: { bands: table.schema },
  });
  return {
    query: compileCel(query.select["euros"] as string, environment),
    table: Object.fromEntries(table.rows.map((row) => [String(row[table.key]), row])),
  };
}

export function runRolling(
  flights: readonly Flight[],
  before: readonly EntityFile[],
  after: readonly EntityFile[],
): RollingReport {
  const old = parts(before);
  const fresh = parts(after);
  const workers: Worker[] = Array.from({ length: WORKERS }, () => ({
    ...old,
    version: { query: 1, table: 1 },
  }));
  // The change begins in mid-stream; each step is one reload of one worker.
  const steps = [
    ...workers.map((worker) => (): void => {
      worker.query = fresh.query;
      worker.version.query = 2;
    }),
    ...workers.map((worker) => (): void => {
      worker.table = fresh.table;
      worker.version.table = 2;
    }),
  ];
  const begin = Math.floor(flights.length * BEGINS_AT);
  const tally = new Tally();
  let inconsistentFlights = 0;
  flights.forEach((flight, index) => {
    if (index >= begin && (index - begin) % FLIGHTS_BETWEEN_RELOADS === 0) steps.shift()?.();
    const worker = workers[index % WORKERS] as Worker;
    tally.add(flight, Number(worker.query({ event: flight, tables: { bands: worker.table } })));
    if (worker.version.query === 1 && workers.some((other) => other.version.query === 2))
      inconsistentFlights += 1;
  });
  return { mixedFlights: tally.mixedFlights, wrongEuros: tally.wrongEuros, inconsistentFlights };
}
