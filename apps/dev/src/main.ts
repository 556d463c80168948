// `greco dev`: everything in one process, on embedded stores or on real engines, keeping its data.
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type EngineConfig, engineSettings } from "@greco/engines";
import { nearest, parseConfig } from "@greco/service-kit";
import type { DevLambda } from "./lambda.ts";
import { type Dev, startDev } from "./start-dev.ts";
import { PORTS } from "./stores.ts";

const USAGE = `greco dev [--data DIR] [--port-base N] [--lease-ms N] [--log-level debug|info|warn|error]
          [--engines real --etcd A,B --nats A,B --cassandra A,B]
          [--lambda-region NAME] [--lambda-endpoint URL] [--lambda-role ARN]
  Starts registry, coordinator, three conductors, ingress and runtime in this process.
  --data DIR       where everything is kept (default ~/.greco/dev)
  --lease-ms N     every lease (default 3000); after a kill -9 a restart goes on about four of them later
  --port-base N    gRPC on N … N+3, Connect and gRPC-Web on N+10 … N+12 (default 7100; 0: free ports)
  --engines real   on etcd, NATS and Cassandra, at --etcd, --nats, --cassandra (host:port,…) or where GRECO_ETCD,
                   GRECO_NATS and GRECO_CASSANDRA say; more by --cassandra-data-center, --keyspace, --replication,
                   --etcd-prefix, --nats-prefix, and files of credentials as a service's --help says
  --lambda-region  queries with runtime: lambda become functions there (a fourth conductor), with the credentials that
                   AWS's SDK finds; at --lambda-endpoint instead of AWS's own; run as --lambda-role unless they name one
Example:
  greco dev --data .greco/try --port-base 0`;
const PORT_BASE = 7_100;
/** Below it a pause of the process is taken for its death. */
const LEASE_MS_MIN = 100;
const LEASE_MS_MAX = 600_000;
const LEVELS = ["debug", "info", "warn", "error"] as const;

const settings = engineSettings(PORTS);
const flagOf = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
/** The names that a service knows them by; the folder is --data here, too. */
const engineFlags = Object.fromEntries(
  Object.keys(settings)
    .filter((key) => key !== "data")
    .map((key) => [flagOf(key), { type: "string" as const }]),
);

/** Undefined: embedded. The environment only says where real engines are, not that they are wanted. */
function enginesOf(values: Readonly<Record<string, unknown>>): EngineConfig | undefined {
  const given = Object.keys(engineFlags).flatMap((flag) =>
    typeof values[flag] === "string" ? [`--${flag}=${values[flag]}`] : [],
  );
  if (given.length === 0) return undefined;
  const known = Object.keys(settings).map((key) => `GRECO_${flagOf(key).replaceAll("-", "_").toUpperCase()}`);
  const env = Object.fromEntries(known.map((name) => [name, process.env[name]]));
  return parseConfig(settings, { flags: given, env });
}

const OPTIONS = {
  ...engineFlags,
  data: { type: "string" },
  "port-base": { type: "string" },
  "log-level": { type: "string", default: "warn" },
  "lease-ms": { type: "string" },
  "lambda-region": { type: "string" },
  "lambda-endpoint": { type: "string" },
  "lambda-role": { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

function lambdaOf(values: Readonly<Record<string, unknown>>): DevLambda | undefined {
  const textOf = (name: string): string | undefined => {
    const value = values[`lambda-${name}`];
    return typeof value === "string" ? value : undefined;
  };
  const region = textOf("region");
  const [endpoint, role] = [textOf("endpoint"), textOf("role")];
  if (region !== undefined) return { region, endpoint, role };
  if (endpoint === undefined && role === undefined) return undefined;
  throw new Error("--lambda-region is missing: --lambda-endpoint and --lambda-role go with it");
}

function refuseUnknown(argv: readonly string[]): void {
  for (const each of argv) {
    const name = /^--([^=]+)/.exec(each)?.[1];
    if (name === undefined || Object.hasOwn(OPTIONS, name)) continue;
    const near = nearest(name, Object.keys(OPTIONS));
    throw new Error(`there is no option --${name}${near === undefined ? "" : `: did you mean --${near}?`}`);
  }
}

function parse(argv: readonly string[]) {
  refuseUnknown(argv);
  const { values } = parseArgs({ args: [...argv], options: OPTIONS });
  const portBase = values["port-base"] === undefined ? PORT_BASE : Number(values["port-base"]);
  if (!Number.isInteger(portBase) || portBase < 0 || portBase > 65_500) {
    throw new Error(`--port-base must be a port from 0 to 65500; got '${values["port-base"]}'`);
  }
  const leaseMs = values["lease-ms"] === undefined ? undefined : Number(values["lease-ms"]);
  if (leaseMs !== undefined && !(leaseMs >= LEASE_MS_MIN && leaseMs <= LEASE_MS_MAX)) {
    throw new Error(
      `--lease-ms must be from ${LEASE_MS_MIN} to ${LEASE_MS_MAX}; got '${values["lease-ms"]}'`,
    );
  }
  const logLevel = LEVELS.find((level) => level === values["log-level"]);
  if (logLevel === undefined)
    throw new Error(`--log-level must be one of ${LEVELS.join(", ")}; got '${values["log-level"]}'`);
  return {
    help: values.help,
    dataDir: values.data ?? join(homedir(), ".greco", "dev"),
    portBase: portBase === 0 ? undefined : portBase,
    logLevel,
    engines: enginesOf(values),
    lambda: lambdaOf(values),
    ...(leaseMs === undefined ? {} : { leaseMs }),
  };
}

function banner(dev: Dev): string {
  const { addresses, connectAddresses: web } = dev;
  return `Greco serves.
  registry     ${addresses.registry}   Connect, gRPC-Web ${web.registry}
  coordinator  ${addresses.coordinator}   Connect, gRPC-Web ${web.coordinator}
  ingress      ${addresses.ingress}   Connect, gRPC-Web ${web.ingress}
  data         ${dev.dataDir}
  tokens       ${dev.tokenDir} (viewer, editor, releaser, admin)

Next, in another terminal:
  greco model create airline --wait --data ${dev.dataDir}
  greco doctor --data ${dev.dataDir}

Ctrl-C ends it; the data stays.
`;
}

async function main(): Promise<number> {
  let options;
  try {
    options = parse(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`greco dev: ${(error as Error).message}\n\n${USAGE}\n`);
    return 1;
  }
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, () => {
        stop.abort(new Error(`ended by ${name}`));
        resolve();
      });
    }
  });
  try {
    await using dev = await startDev(options, stop.signal);
    process.stdout.write(banner(dev));
    await stopped;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    const { message } = error as Error;
    const next = message.startsWith("cannot listen on")
      ? "next:  choose another --port-base, or 0 for free ports\n"
      : "";
    process.stderr.write(`greco dev: ${message}\n${next}`);
    return 1;
  }
  return 0;
}

process.exitCode = await main();
