// Real servers for development, without Docker:
//
//   node tools/servers/main.ts install [etcd] [nats] [cassandra] [ministack] [moto]
//   node tools/servers/main.ts start [--etcd 1|3] [--nats 1] [--cassandra 1|3] [--ministack 1] [--moto 1] [--folder DIR]
//
// `install` puts them into the cache folder, all when none is named. `start` starts etcd, NATS and Cassandra when none
// is named; it prints what to export (GRECO_ETCD=host:port,…) and stays until Ctrl-C; then it ends what it started. Data
// are kept in DIR, or in a folder that goes with it. Everything is installed below $GRECO_CACHE (~/.cache/greco).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { nearest } from "../lib/nearest.ts";
import { cacheFolder } from "./cache.ts";
import { type Engine, MissingToolchainError, type Say } from "./engine.ts";
import { engines, variableOf } from "./engines.ts";

class UsageError extends Error {}

const say: Say = (line) => void process.stderr.write(`${line}\n`);
const names = engines.map((engine) => engine.name).join(", ");

function engineNamed(name: string): Engine {
  const found = engines.find((engine) => engine.name === name);
  if (found !== undefined) return found;
  const suggestion = nearest(
    name,
    engines.map((engine) => engine.name),
  );
  const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
  throw new UsageError(`there is no server named "${name}"${hint} All: ${names}`);
}

async function install(wanted: readonly string[], signal: AbortSignal): Promise<void> {
  const chosen = wanted.length === 0 ? engines : wanted.map(engineNamed);
  const cache = cacheFolder();
  for (const engine of chosen) {
    await engine.install({ cache, say, signal });
    say(`${engine.name} ${engine.version} is in ${cache}`);
  }
}

/** A missing count is one node. */
function wantedOf(args: readonly string[]): { sizes: Map<Engine, number>; folder: string | undefined } {
  const options = Object.fromEntries(engines.map(({ name }) => [name, { type: "string" as const }]));
  const { values } = parseArgs({
    args: [...args],
    options: { ...options, folder: { type: "string" } },
    strict: true,
  });
  const sizes = new Map<Engine, number>();
  for (const engine of engines) {
    const value = (values as Record<string, string | undefined>)[engine.name];
    if (value === undefined) continue;
    const nodes = Number(value);
    if (!Number.isInteger(nodes) || nodes < 1)
      throw new UsageError(`--${engine.name} takes a number of nodes, got "${value}"`);
    sizes.set(engine, nodes);
  }
  if (sizes.size === 0) for (const engine of engines) if (engine.onRequest !== true) sizes.set(engine, 1);
  return { sizes, folder: values["folder"] };
}

async function start(args: readonly string[], signal: AbortSignal): Promise<void> {
  const wanted = wantedOf(args);
  const temporary = wanted.folder === undefined ? await mkdtemp(join(tmpdir(), "greco-servers-")) : undefined;
  const folder = temporary ?? resolve(wanted.folder ?? ".");
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  });
  const cache = cacheFolder();
  for (const [engine, nodes] of wanted.sizes) {
    await engine.install({ cache, say, signal });
    const options = { cache, nodes, folder: join(folder, engine.name), say, signal };
    const cluster = stack.use(await engine.start(options));
    console.log(`export ${variableOf(engine)}=${cluster.addresses.join(",")}`);
  }
  say("Ctrl-C ends them");
  await new Promise<void>((stop) => signal.addEventListener("abort", () => stop(), { once: true }));
}

async function main([verb, ...args]: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => interrupted.abort(new UsageError("interrupted")));
  // A timer keeps the process alive while nothing but its children does anything.
  const alive = setInterval(() => undefined, 60_000);
  try {
    if (verb === "install") await install(args, interrupted.signal);
    else if (verb === "start") await start(args, interrupted.signal);
    else throw new UsageError("usage: main.ts install [NAME…] | start [--etcd 1|3] … [--folder DIR]");
    return 0;
  } catch (error) {
    const expected = error instanceof UsageError || error instanceof MissingToolchainError;
    const parsing = error instanceof TypeError && "code" in error;
    if (!expected && !parsing) throw error;
    console.error(error.message);
    return 2;
  } finally {
    clearInterval(alive);
  }
}

process.exitCode = await main(process.argv.slice(2));
