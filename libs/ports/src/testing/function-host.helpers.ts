/** What the suites of `FunctionHost` share: programs, invocations, and outcomes in a form to compare. */
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import type { FunctionHost, Invocation, Outcome, Program } from "../function-host.ts";
import { bytes, noAbort, text } from "./harness.ts";

/** An `it` whose body gets a host of its own. */
export type HostTest = (title: string, body: (host: FunctionHost) => Promise<void>) => void;

/** Where hosts honestly differ: what they call the end of what a program runs in. What becomes of it does not differ. */
export type HostReasons = {
  /** A call's program has ended its thread, its process. */
  readonly ended: string;
  readonly outOfMemory: string;
  /** The program does not end loading. */
  readonly loadTimeout: string;
};

export const WORKER_REASONS: HostReasons = {
  ended: "WORKER_ENDED",
  outOfMemory: "OUT_OF_MEMORY",
  loadTimeout: "LOAD_TIMEOUT",
};

const flightSchema = {
  type: "object",
  properties: { delay: { type: "number" }, band: { type: "string" }, n: { type: "integer" } },
};
export const bands: TableContent = {
  name: "bands",
  key: "id",
  schema: { type: "object", properties: { id: { type: "string" }, pay: { type: "number" } } },
  rows: [
    { id: "short", pay: 250 },
    { id: "constructor", pay: 1 },
  ],
};

let programs = 0;

/** A program of its own id. */
export function programOf(query: Partial<QueryContent>, tables: readonly TableContent[] = []): Program {
  programs += 1;
  const content: QueryContent = {
    name: "late-flights",
    from: "flights",
    to: "payments",
    tables: tables.map((table) => table.name),
    onError: { retries: 0, then: "dead-letter" },
    timeoutMs: 5_000,
    schemas: {
      from: flightSchema,
      tables: Object.fromEntries(tables.map((table) => [table.name, table.schema])),
    },
    ...query,
  };
  const texts = tables.map((table) => [table.name, JSON.stringify(table)] as const);
  return { id: `program-${programs}`, query: JSON.stringify(content), tables: Object.fromEntries(texts) };
}

export const handlerOf = (body: string, timeoutMs = 5_000): Program =>
  programOf({ handler: `export async function handle(event, context) { ${body} }`, timeoutMs });

export const invocationOf = (event: unknown, seq = 1): Invocation => ({
  payload: typeof event === "string" ? bytes(event) : bytes(JSON.stringify(event)),
  key: `key-${seq}`,
  idempotencyKey: `lane-1/${seq}`,
  context: { lane: "lane-1", seq, epoch: 7 },
});

/** Payloads as values; a failure as its reason. */
export const short = (outcome: Outcome): unknown =>
  outcome.type === "outputs"
    ? outcome.outputs.map(({ payload }) => JSON.parse(text(payload)) as unknown)
    : outcome.reason;

export async function run(
  host: FunctionHost,
  program: Program,
  events: readonly unknown[],
): Promise<readonly Outcome[]> {
  await host.load(program, noAbort);
  return await host.invoke(
    program.id,
    events.map((event, index) => invocationOf(event, index + 1)),
    noAbort,
  );
}
