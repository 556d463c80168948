/**
 * etcd, NATS and Cassandra for the main job: those that the environment names, or own ones of a node each, which end
 * with the run.
 */
import { type EngineConfig, engineSettings } from "@greco/engines";
import { parseConfig } from "@greco/service-kit";
import type { EngineName } from "../../../tools/servers/engine.ts";
import { variableOf } from "../../../tools/servers/engines.ts";
import { servers } from "../../../tools/servers/for-tests.ts";

const NAMES = ["etcd", "nats", "cassandra"] as const satisfies readonly EngineName[];

/** On servers that others use too, the main job keeps to names of its own, unless the environment has others. */
const APART = { "etcd-prefix": "greco-demo/", "nats-prefix": "greco-demo", keyspace: "greco_demo" } as const;

const settings = engineSettings(["cpStore", "controlLog", "laneStore", "bindingStore", "wake"]);
const variable = (name: string): string =>
  `GRECO_${name
    .replaceAll(/[A-Z]/g, (letter) => `-${letter}`)
    .replaceAll("-", "_")
    .toUpperCase()}`;

/** The caller's stack ends what is started. Rejects with MissingToolchainError where one cannot be built or run. */
export async function realEngines(
  stack: AsyncDisposableStack,
  env: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<EngineConfig> {
  const flags = ["--engines=real"];
  for (const name of NAMES) {
    const given = env[variableOf({ name })] ?? "";
    say(given === "" ? `${name}: starting one node` : `${name}: ${variableOf({ name })} names it`);
    const { addresses } = stack.use(await servers[name]({}, signal));
    say(`${name}: serves at ${addresses.join(", ")}`);
    flags.push(`--${name}=${addresses.join(",")}`);
  }
  for (const [flag, value] of Object.entries(APART))
    if ((env[variable(flag)] ?? "") === "") flags.push(`--${flag}=${value}`);
  const known = Object.fromEntries(Object.keys(settings).map((key) => [variable(key), env[variable(key)]]));
  return parseConfig(settings, { flags, env: known });
}
