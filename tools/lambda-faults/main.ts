// The proxy for people: what is called, and how it ends, line by line.
//
//   node tools/lambda-faults/main.ts --target http://127.0.0.1:4566 [--listen 127.0.0.1:4567] [--log FILE.jsonl]
//                                    [--fault FAULT.json …] [--emulate publish,busy,provisioned]
//
// `--fault` arms one: '{"operation":"PublishVersion","at":2,"what":{"type":"lost","when":"after"}}'. It says what to
// export and stays until Ctrl-C.
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { parseArgs } from "node:util";
import { nearest } from "../lib/nearest.ts";
import type { Call } from "./call.ts";
import { type Emulate, emptyAccount } from "./emulation.ts";
import { errorCodes, type Fault, type What } from "./fault.ts";
import { openLambdaFaults } from "./lambda-faults.ts";
import { lambdaOperations } from "./operation.ts";

class UsageError extends Error {}

const USAGE =
  "usage: main.ts --target http://HOST:PORT [--listen HOST:PORT] [--log FILE.jsonl] [--fault JSON …] " +
  "[--emulate account,publish,busy,provisioned]";

const emulations: Readonly<Record<string, Emulate>> = {
  account: { accountSettings: emptyAccount },
  publish: { publish: true },
  busy: { busy: true },
  provisioned: { provisioned: true },
};

function unknown(what: string, name: string, known: readonly string[]): UsageError {
  const suggestion = nearest(name, known);
  return new UsageError(
    `there is no ${what} "${name}"` + (suggestion === undefined ? "" : `; did you mean ${suggestion}?`),
  );
}

function emulateOf(names: string | undefined): Emulate {
  const chosen = (names ?? "").split(",").filter((name) => name !== "");
  return Object.assign(
    {},
    ...chosen.map((name) => {
      const found = emulations[name];
      if (found === undefined) throw unknown("emulation", name, Object.keys(emulations));
      return found;
    }),
  ) as Emulate;
}

/** An error's code may be left out, and is then AWS's own of its status. */
function faultOf(text: string): Fault {
  let given: Fault;
  try {
    given = JSON.parse(text) as Fault;
  } catch (error) {
    throw new UsageError(`--fault takes JSON: ${String(error)}`);
  }
  if (!lambdaOperations.includes(given.operation))
    throw unknown("operation", String(given.operation), lambdaOperations);
  const what = given.what as What | undefined;
  const types = ["error", "lost", "slow", "failed", "hook"];
  if (what === undefined || !types.includes(what.type))
    throw unknown("type of fault", String(what?.type), types);
  if (what.type !== "error") return given;
  const known = (errorCodes as Readonly<Record<number, string>>)[what.status];
  if (known === undefined)
    throw new UsageError(`an error's status is one of ${Object.keys(errorCodes).join(", ")}`);
  const error: Omit<typeof what, "code"> & { readonly code?: string } = what;
  return { ...given, what: { ...error, code: error.code ?? known } };
}

function listenOf(text: string | undefined): { host: string; port: number } | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(`http://${text}`);
  if (url === null) throw new UsageError(`--listen takes HOST:PORT, got "${text}"`);
  return { host: url.hostname, port: Number(url.port) };
}

const line = ({ n, operation, functionName, qualifier, response, injected, ...call }: Call): string => {
  const of = functionName + (qualifier === undefined ? "" : `:${qualifier}`);
  const took = Math.round((call.endedAtMs ?? call.atMs) - call.atMs);
  const fault = injected === undefined ? "" : `  injected ${injected.what.type}`;
  return `${n} ${operation} ${of} ${response?.status ?? "cut"} ${took} ms${fault}`;
};

async function main(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: "string" },
      listen: { type: "string" },
      log: { type: "string" },
      fault: { type: "string", multiple: true },
      emulate: { type: "string" },
    },
    strict: true,
  });
  if (values.target === undefined || URL.parse(values.target)?.protocol !== "http:")
    throw new UsageError(USAGE);
  const faults = (values.fault ?? []).map(faultOf);
  const emulate = emulateOf(values.emulate);
  const listen = listenOf(values.listen);
  await using stack = new AsyncDisposableStack();
  const log = values.log === undefined ? undefined : createWriteStream(values.log, { flags: "a" });
  if (log !== undefined) {
    await once(log, "open", { signal });
    stack.defer(() => new Promise<void>((ended) => log.end(ended)));
  }
  const onEnd = (call: Call): void => {
    console.log(line(call));
    log?.write(`${JSON.stringify(call)}\n`);
  };
  const options = { target: values.target, emulate, onEnd, ...(listen === undefined ? {} : { listen }) };
  const proxy = stack.use(await openLambdaFaults(options, signal));
  for (const fault of faults) proxy.arm(fault);
  console.log(`export AWS_ENDPOINT_URL_LAMBDA=${proxy.endpoint} AWS_ENDPOINT_URL_IAM=${proxy.endpoint}`);
  await new Promise<void>((stop) => signal.addEventListener("abort", () => stop(), { once: true }));
}

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => interrupted.abort(new UsageError("interrupted")));
try {
  await main(process.argv.slice(2), interrupted.signal);
} catch (error) {
  const expected = error instanceof UsageError || error instanceof TypeError;
  if (!expected) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
