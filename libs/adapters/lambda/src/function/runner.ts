/** In AWS: the query's program, and a batch of messages through it. */
import type { TableContent } from "@greco/domain/epoch";
import {
  compileExpressions,
  defaultLimits,
  expressionFailure,
  type ExpressionProgram,
  handlerFailure,
  type HandlerProgram,
  importHandler,
  readProgram,
  timedOut,
  toPayloads,
  unchanged,
} from "@greco/adapter-worker/program";
import type { CallMessage, CallOutcome, CallRequest } from "../call.ts";
import { asCall } from "./guard.ts";

export type Runner = (request: CallRequest) => Promise<readonly CallOutcome[]>;

/** Throws `ProgramLoadError`. */
export async function loadRunner(query: string, tables: string): Promise<Runner> {
  const contents = Object.entries(JSON.parse(tables) as Readonly<Record<string, TableContent>>);
  const texts = contents.map(([name, content]) => [name, JSON.stringify(content)] as const);
  const source = readProgram({ id: "", query, tables: Object.fromEntries(texts) });
  if (source.query.handler === undefined) {
    const program = compileExpressions(source);
    return ({ messages }) => Promise.resolve(messages.map((message) => evaluated(program, message)));
  }
  const program = await importHandler(source);
  return ({ epoch, messages }) => called(program, epoch, messages);
}

function evaluated(program: ExpressionProgram, { payload }: CallMessage): CallOutcome {
  try {
    const output = program(Buffer.from(payload));
    if (output === undefined) return { outputs: [] };
    return { outputs: [output === unchanged ? payload : output] };
  } catch (error) {
    return expressionFailure(error);
  }
}

/** All under way at once: they wait for the outside most of the time. Each begins in a turn of its own. */
async function called(
  program: HandlerProgram,
  epoch: number,
  messages: readonly CallMessage[],
): Promise<readonly CallOutcome[]> {
  const outcomes: Promise<CallOutcome>[] = [];
  for (const message of messages) {
    if (outcomes.length > 0) await new Promise((turn) => setImmediate(turn));
    outcomes.push(callOne(program, epoch, message));
  }
  return Promise.all(outcomes);
}

async function callOne(program: HandlerProgram, epoch: number, message: CallMessage): Promise<CallOutcome> {
  const { timeoutMs } = program;
  const abort = new AbortController();
  const outcome = Promise.withResolvers<CallOutcome>();
  const timer = setTimeout(() => {
    outcome.resolve(timedOut(timeoutMs));
    abort.abort(new DOMException(`the call's ${timeoutMs} ms are over`, "TimeoutError"));
  }, timeoutMs);
  const fail = (error: unknown): void => outcome.resolve(handlerFailure(error));
  const { payload, key, id: idempotencyKey, lane, seq } = message;
  const input = { payload: Buffer.from(payload), key, idempotencyKey, lane, seq, epoch };
  asCall(fail, async () => {
    const result = await program.start(input, abort.signal);
    outcome.resolve({ outputs: toPayloads(result, defaultLimits).map(textOf) });
  });
  try {
    return await outcome.promise;
  } finally {
    clearTimeout(timer);
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);
