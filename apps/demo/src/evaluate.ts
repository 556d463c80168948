/**
 * The checker's own evaluation of a version's query, from its entity files: no runtime, no worker, no
 * binding. CEL is evaluated on the files' expressions; a handler is imported as it stands.
 */
import { compileCel, createCelEnvironment } from "@greco/expression";
import type { EntityFile } from "@greco/entity-files";

export type Evaluation = (payload: unknown) => Promise<readonly unknown[]>;

type Query = {
  readonly from: string;
  readonly to: string;
  readonly tables?: readonly string[];
  readonly where?: string;
  readonly select?: Readonly<Record<string, string>>;
  readonly handler?: string;
};

export function queryOf(entities: readonly EntityFile[]): { readonly name: string; readonly spec: Query } {
  const queries = entities.filter((entity) => entity.kind === "query");
  const only = queries[0];
  if (only === undefined || queries.length > 1) {
    throw new Error(`the main job follows one query; the entities hold ${queries.length}`);
  }
  return { name: only.name, spec: only.spec as unknown as Query };
}

function specOf(
  entities: readonly EntityFile[],
  kind: string,
  name: string,
): Readonly<Record<string, unknown>> {
  const entity = entities.find((each) => each.kind === kind && each.name === name);
  if (entity === undefined) throw new Error(`no ${kind}/${name} among the entities`);
  return entity.spec;
}

type Table = {
  readonly key: string;
  readonly schema: unknown;
  readonly rows: readonly Record<string, unknown>[];
};

export async function evaluationOf(entities: readonly EntityFile[]): Promise<Evaluation> {
  const { spec } = queryOf(entities);
  const tables: Record<string, Record<string, unknown>> = {};
  const schemas: Record<string, unknown> = {};
  for (const name of spec.tables ?? []) {
    const table = specOf(entities, "table", name) as unknown as Table;
    tables[name] = Object.fromEntries(table.rows.map((row) => [String(row[table.key]), row]));
    schemas[name] = table.schema;
  }
  if (spec.handler !== undefined) {
    const url = `data:text/javascript;base64,${Buffer.from(spec.handler).toString("base64")}`;
    const module = (await import(url)) as { handle: (event: unknown, context: unknown) => unknown };
    return async (payload) => {
      const result = await module.handle(payload, { tables });
      if (result === undefined || result === null) return [];
      return (Array.isArray(result) ? result : [result]) as unknown[];
    };
  }
  const event = specOf(entities, "stream", spec.from)["schema"];
  const environment = createCelEnvironment({ variables: { event }, tables: schemas });
  const compile = (source: string): ((payload: unknown) => unknown) => {
    const program = compileCel(source, environment);
    return (payload) => program({ event: payload, tables });
  };
  const where = spec.where === undefined ? undefined : compile(spec.where);
  const select = Object.entries(spec.select ?? {}).map(
    ([field, source]) => [field, compile(source)] as const,
  );
  return async (payload) => {
    if (where !== undefined && where(payload) !== true) return [];
    if (select.length === 0) return [payload];
    return [Object.fromEntries(select.map(([field, value]) => [field, value(payload)]))];
  };
}

/** The main job's results in plain code: it shares nothing with Greco, CEL included. */
export const compensationByHand =
  (version: 1 | 2): Evaluation =>
  (payload) => {
    const flight = payload as {
      date: string;
      origin: string;
      destination: string;
      delay: number;
      distance: number;
    };
    const { date, origin, destination, delay } = flight;
    return Promise.resolve([{ date, origin, destination, delay, euros: eurosByHand(version, flight) }]);
  };

/** What the law of each version says a flight pays. */
export function eurosByHand(
  version: 1 | 2,
  flight: { readonly delay: number; readonly distance: number },
): number {
  const { delay, distance } = flight;
  if (delay < (version === 1 ? 180 : 120)) return 0;
  const length = version === 1 ? distance : distance * 1.609344;
  const [short, medium] = version === 1 ? [932, 2175] : [1500, 3500];
  return length <= short ? 250 : length <= medium ? 400 : 600;
}
