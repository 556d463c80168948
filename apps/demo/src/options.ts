/** The command line of the main job, parsed once, strictly (STYLE 14). */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { nearest } from "@greco/service-kit";

export type DemoOptions = {
  /** Say what the options are, and end. */
  readonly help: boolean;
  /** Ends after the checker instead of going on serving. */
  readonly once: boolean;
  /** The last line of stdout is one JSON object. */
  readonly json: boolean;
  /** Inputs a second, over all lanes. */
  readonly rate: number;
  readonly compare: "rolling" | undefined;
  /** A JSON array of objects in place of the flights. */
  readonly input: string | undefined;
  readonly modelDir: string | undefined;
  readonly changeDir: string | undefined;
  readonly out: string | undefined;
  /** Undefined: a fresh folder that goes with the run. */
  readonly data: string | undefined;
  readonly portBase: number | undefined;
  /** Where the stores are: SQLite in the folder, or etcd, NATS and Cassandra. */
  readonly engines: "embedded" | "real";
  /** Where the queries run: on the runtime's own threads, or as functions of AWS Lambda. */
  readonly runtime: "worker" | "lambda";
};

export class UsageError extends Error {
  override name = "UsageError";
}

export const USAGE = `npm start -- [options]
  --once               end after the checker; exit 0 only if nothing is lost, duplicated or misapplied
  --json               the last line of stdout is one JSON object; the story goes to stderr
  --rate N             inputs a second over all lanes (default 700)
  --compare rolling    also run the same change as ordinary reloads, and print what that pays wrongly
  --input FILE.json    any JSON array of objects in place of the flights (needs --model and --change)
  --model DIR          the entities of version 1, as 'greco export' writes them
  --change DIR         the entities of version 2
  --out FILE.jsonl     write every output with query, source lane, source seq and epoch
  --data DIR           keep the data here (default: a fresh folder)
  --port-base N        serve on N, N+1, … (default: free ports)
  --engines real       on etcd, NATS and Cassandra: where GRECO_ETCD, GRECO_NATS, GRECO_CASSANDRA say (host:port,…),
                       else on own ones, started for this run (needs Go, Java and Maven; slow the first time)
  --runtime lambda     the queries as functions of AWS Lambda, on a local stand-in that is started for this run (needs
                       Python 3.11 or newer), or where GRECO_LAMBDA_ENDPOINT says: a stand-in's URL, or aws
  --help               this text`;

const OPTIONS = {
  help: { type: "boolean", short: "h", default: false },
  once: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  rate: { type: "string" },
  compare: { type: "string" },
  input: { type: "string" },
  model: { type: "string" },
  change: { type: "string" },
  out: { type: "string" },
  data: { type: "string" },
  "port-base": { type: "string" },
  engines: { type: "string", default: "embedded" },
  runtime: { type: "string", default: "worker" },
} as const satisfies ParseArgsOptionsConfig;

/** The option that was probably meant. */
function refuseUnknown(argv: readonly string[]): void {
  for (const each of argv) {
    const name = /^--([^=]+)/.exec(each)?.[1];
    if (name === undefined || Object.hasOwn(OPTIONS, name)) continue;
    const near = nearest(name, Object.keys(OPTIONS));
    throw new UsageError(
      `there is no option --${name}${near === undefined ? "" : `: did you mean --${near}?`}\n\n${USAGE}`,
    );
  }
}

function positive(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new UsageError(`--${name} must be a positive number; got '${text}'`);
  }
  return value;
}

export function parseOptions(argv: readonly string[]): DemoOptions {
  refuseUnknown(argv);
  let values;
  try {
    ({ values } = parseArgs({ args: [...argv], options: OPTIONS }));
  } catch (cause) {
    throw new UsageError(`${cause instanceof Error ? cause.message : String(cause)}\n\n${USAGE}`, { cause });
  }
  const compare = values.compare;
  if (compare !== undefined && compare !== "rolling") {
    throw new UsageError(`--compare knows 'rolling' only; got '${compare}'`);
  }
  if ((values.model === undefined) !== (values.change === undefined)) {
    throw new UsageError(
      "--model and --change go together: the entities of version 1 and those of version 2",
    );
  }
  if (values.input !== undefined && values.model === undefined) {
    throw new UsageError("--input needs --model DIR and --change DIR: say what to do with these inputs");
  }
  if (compare !== undefined && values.input !== undefined) {
    throw new UsageError("--compare counts euros, so it runs on the flights only: leave out --input");
  }
  const { engines, runtime } = values;
  if (engines !== "embedded" && engines !== "real") {
    throw new UsageError(`--engines knows 'embedded' and 'real'; got '${engines}'`);
  }
  if (runtime !== "worker" && runtime !== "lambda") {
    throw new UsageError(`--runtime knows 'worker' and 'lambda'; got '${runtime}'`);
  }
  return {
    help: values.help,
    once: values.once,
    engines,
    runtime,
    json: values.json,
    rate: positive(values.rate, "rate", 700),
    compare,
    input: values.input,
    modelDir: values.model,
    changeDir: values.change,
    out: values.out,
    data: values.data,
    portBase: values["port-base"] === undefined ? undefined : positive(values["port-base"], "port-base", 0),
  };
}
