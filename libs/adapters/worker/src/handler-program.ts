/** In the worker: a query's handler, imported, and one call of it. */
import type { TableContent } from "@greco/domain/epoch";
import { parseJson } from "@greco/expression/json";
import { ProgramLoadError } from "@greco/ports";
import { ResultError, toJsonText } from "./json-result.ts";
import type { ProgramSource } from "./program.ts";
import type { Call } from "./protocol.ts";

/** What a handler gets beside the event. Frozen, tables included: nothing in it may leak from one call to the next. */
export type HandlerContext = {
  readonly lane: string;
  readonly seq: number;
  readonly epoch: number;
  readonly key: string;
  /** The same for each attempt at this input: hand it on to the outside. */
  readonly idempotencyKey: string;
  /** By name, then by key. */
  readonly tables: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Aborts when the call's time is up, or nobody waits for it any more. */
  readonly signal: AbortSignal;
};

/** One input, for one call. */
export type HandlerInput = Omit<Call, "type" | "call" | "program">;

export type HandlerProgram = {
  readonly timeoutMs: number;
  /** The handler's own result, or a promise of it. */
  start(input: HandlerInput, signal: AbortSignal): unknown;
};

type Handle = (event: unknown, context: HandlerContext) => unknown;

/** Throws `ProgramLoadError`. */
export async function importHandler({ query, tables: contents }: ProgramSource): Promise<HandlerProgram> {
  const handle = await importHandle(query.name, query.handler ?? "");
  const tables = freeze(Object.fromEntries(contents.map((table) => [table.name, rowsByKey(table)])));
  return {
    timeoutMs: query.timeoutMs,
    start({ payload, lane, seq, epoch, key, idempotencyKey }, signal) {
      const event = parseJson(payload);
      return handle(event, Object.freeze({ lane, seq, epoch, key, idempotencyKey, tables, signal }));
    },
  };
}

let imports = 0;

async function importHandle(name: string, source: string): Promise<Handle> {
  const refuse = (message: string, cause?: unknown): ProgramLoadError =>
    new ProgramLoadError("BAD_HANDLER", "handler", message, { cause });
  // The number makes it a module of its own: Node keeps each URL's module for ever, state, failure and all.
  imports += 1;
  const text = `${source}\n//# sourceURL=${encodeURIComponent(name)}.js\n// ${imports}`;
  const url = `data:text/javascript;base64,${Buffer.from(text).toString("base64")}`;
  let module: { readonly handle?: unknown };
  try {
    module = (await import(url)) as typeof module;
  } catch (error) {
    throw refuse(`the module does not load: ${describeError(error, url)}`, error);
  }
  if (typeof module.handle !== "function") {
    const found = Object.keys(module).join(", ") || "nothing";
    throw refuse(
      `the module exports no function "handle" (it exports ${found}); write: export function handle(event, context) {…}`,
    );
  }
  return module.handle as Handle;
}

/** An error's message, with the line of the handler where it arose, if that can be had. */
export function describeError(error: unknown, url?: string): string {
  if (!(error instanceof Error)) return `threw ${String(error).slice(0, 200)}`;
  const readable = (text: string): string => (url === undefined ? text : text.replaceAll(url, "handler.js"));
  const place = /([\w%.-]+\.js:\d+(?::\d+)?)/.exec(readable(error.stack ?? ""))?.[1];
  const text = readable(`${error.name}: ${error.message}`).slice(0, 1_000);
  return place === undefined ? text : `${text} (${place})`;
}

function rowsByKey({ key, rows }: TableContent): Record<string, unknown> {
  const byKey = Object.create(null) as Record<string, unknown>;
  for (const row of rows) byKey[row[key] as string] = row;
  return byKey;
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const item of Object.values(value)) freeze(item);
  return Object.freeze(value);
}

/** Not Buffer.from, whose small buffers are views of a shared one that would all be copied to the host. */
const encoder = new TextEncoder();

export type OutputLimits = { readonly outputsMax: number; readonly outputBytesMax: number };

/** Nothing, one value, or an array of values → payloads. Throws `ResultError`. */
export function toPayloads(result: unknown, limits: OutputLimits): readonly Uint8Array<ArrayBuffer>[] {
  if (result === undefined) return [];
  const values = Array.isArray(result) ? (result as unknown[]) : [result];
  if (values.length > limits.outputsMax) {
    throw new ResultError(
      `the result has ${values.length} outputs: at most ${limits.outputsMax} are allowed`,
    );
  }
  let bytes = 0;
  return values.map((value) => {
    if (value === null)
      throw new ResultError("an output is null; return undefined, or leave it out, for no output");
    const payload = encoder.encode(toJsonText(value));
    bytes += payload.length;
    if (bytes > limits.outputBytesMax) {
      throw new ResultError(`the outputs have more than ${limits.outputBytesMax} bytes; make them smaller`);
    }
    return payload;
  });
}
