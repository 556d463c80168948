/**
 * Configuration, parsed once and strictly (STYLE 14): flags before environment before file before default, into a
 * frozen object. A key that nobody knows is an error that names the nearest known one.
 *
 * A key `leaseMs` is `--lease-ms` as a flag, `GRECO_LEASE_MS` in the environment and `leaseMs` in the file. A secret is
 * given only as the path of a file (`--token-file`, `GRECO_TOKEN_FILE`, `tokenFile`), so that it stands in no process
 * list and can be read again when it changes.
 */
import { readFile } from "node:fs/promises";
import { parse as parseYaml } from "yaml";
import { CONFIG_FLAG, ENV_PREFIX, envOf, flagOf } from "./config-names.ts";
import { nearest } from "./nearest.ts";

export type ConfigKey<T> = {
  /** One line for `--help`: what it is, in which unit. */
  readonly about: string;
  /** What `--help` puts in the value's place: `HOST:PORT`. */
  readonly kind?: string;
  /** Absent: the key is required, unless it is optional. */
  readonly default?: T;
  /** It may be left out, and is then undefined. */
  readonly optional?: true;
  /** Taken, so that all apps can share one environment and one file, but of no use to this one: `--help` is silent. */
  readonly unused?: true;
  /** Throws an Error that says what the text must be. */
  readonly parse: (text: string) => T;
};

export type ConfigSchema = Readonly<Record<string, ConfigKey<unknown>>>;

export type Config<S extends ConfigSchema> = {
  readonly [K in keyof S]: S[K] extends ConfigKey<infer T> ? T : never;
};

export type ConfigSources = {
  /** What follows the program's name: `["--port", "8080", "--verbose=true"]`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Variables that begin so are this program's, and none of them may be unknown. Default: `GRECO_`. */
  readonly envPrefix?: string;
  /** The parsed content of the file, and its path for messages. */
  readonly file?: { readonly path: string; readonly content: unknown };
};

/** All that is wrong at once, a line each. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Read elsewhere, by every process alike. */
const ENV_OF_OTHERS = new Set([
  ...["GRECO_FAILPOINT", "GRECO_FAILPOINT_WHEN"],
  ...["GRECO_CONFIG", "GRECO_CACHE", "GRECO_TEST_SERVERS"],
]);
/** The command line's, which whoever works with it has in the shell that a service is started from, too. */
const ENV_OF_CLI = new Set(["GRECO_DATA", "GRECO_MODEL", "GRECO_TOKEN", "GRECO_DEBUG"]);

type Found = { readonly where: string; readonly text: string };

export function parseConfig<const S extends ConfigSchema>(schema: S, sources: ConfigSources): Config<S> {
  const problems: string[] = [];
  const { flags = [], env = {}, envPrefix = ENV_PREFIX } = sources;
  const layers = [
    fromFlags(schema, flags, problems),
    fromEnvironment(schema, env, envPrefix, problems),
    fromFile(schema, sources.file, problems),
  ];
  const config: Record<string, unknown> = {};
  for (const [key, { default: fallback, optional, parse }] of Object.entries(schema)) {
    const found = layers.map((layer) => layer.get(key)).find((each) => each !== undefined);
    if (found !== undefined) {
      try {
        config[key] = parse(found.text);
      } catch (error) {
        problems.push(`${found.where}: ${(error as Error).message}; got ${JSON.stringify(found.text)}`);
      }
    } else if (fallback !== undefined || optional === true) config[key] = fallback;
    else
      problems.push(`${flagOf(key)} is missing: give it, or ${envOf(key, envPrefix)}, or ${key} in the file`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config) as Config<S>;
}

/**
 * The configuration of a process: its flags, its environment, and the YAML or JSON file that `--config` or
 * `GRECO_CONFIG` names, if one does.
 */
export async function loadConfig<const S extends ConfigSchema>(
  schema: S,
  flags: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  envPrefix?: string,
): Promise<Config<S>> {
  const at = flags.findIndex((flag) => flag === CONFIG_FLAG || flag.startsWith(`${CONFIG_FLAG}=`));
  const joined = flags[at]?.split("=", 2)[1];
  const named = env["GRECO_CONFIG"] === "" ? undefined : env["GRECO_CONFIG"];
  const path = at < 0 ? named : (joined ?? flags[at + 1]);
  if (at >= 0 && path === undefined)
    throw new ConfigError([`${CONFIG_FLAG} needs the path of a YAML or JSON file`]);
  const rest = at < 0 ? flags : flags.toSpliced(at, joined === undefined ? 2 : 1);
  const file = path === undefined ? {} : { file: { path, content: await readContent(path) } };
  return parseConfig(schema, {
    flags: rest,
    env,
    ...file,
    ...(envPrefix === undefined ? {} : { envPrefix }),
  });
}

/** YAML, of which JSON is a part. */
async function readContent(path: string): Promise<unknown> {
  try {
    return parseYaml(await readFile(path, "utf8"), { maxAliasCount: 0 }) as unknown;
  } catch (error) {
    throw new ConfigError([`${path} is no readable YAML or JSON: ${(error as Error).message}`]);
  }
}

function fromFlags(schema: ConfigSchema, flags: readonly string[], problems: string[]): Map<string, Found> {
  const keys = new Map(Object.keys(schema).map((key) => [flagOf(key), key]));
  const found = new Map<string, Found>();
  for (let i = 0; i < flags.length; i += 1) {
    const argument = flags[i] ?? "";
    const equals = argument.indexOf("=");
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    const key = keys.get(flag);
    if (key === undefined) {
      const known = namesOf(schema).map(flagOf);
      problems.push(unknown(flag.startsWith("--") ? "flag" : "argument", flag, known));
      continue;
    }
    const next = flags[i + 1];
    const text = equals >= 0 ? argument.slice(equals + 1) : next;
    if (equals < 0) i += 1;
    if (text === undefined) problems.push(`${flag} needs a value`);
    else if (found.has(key)) problems.push(`${flag} is given twice`);
    else found.set(key, { where: flag, text });
  }
  return found;
}

function fromEnvironment(
  schema: ConfigSchema,
  env: Readonly<Record<string, string | undefined>>,
  prefix: string,
  problems: string[],
): Map<string, Found> {
  const keys = new Map(Object.keys(schema).map((key) => [envOf(key, prefix), key]));
  const found = new Map<string, Found>();
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(prefix) || ENV_OF_OTHERS.has(name) || text === undefined) continue;
    const key = keys.get(name);
    // One that is empty counts as one that is not set, as nobody can unset one in many a manifest.
    if (key !== undefined && text !== "") found.set(key, { where: name, text });
    if (key === undefined && !ENV_OF_CLI.has(name)) {
      const known = namesOf(schema).map((each) => envOf(each, prefix));
      problems.push(unknown("environment variable", name, known));
    }
  }
  return found;
}

/** Those that are of use to this program. */
function namesOf(schema: ConfigSchema): string[] {
  return Object.keys(schema).filter((key) => schema[key]?.unused !== true);
}

function fromFile(schema: ConfigSchema, file: ConfigSources["file"], problems: string[]): Map<string, Found> {
  const found = new Map<string, Found>();
  if (file === undefined) return found;
  const { path, content } = file;
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    problems.push(`${path} must hold one object of keys and values`);
    return found;
  }
  for (const [key, value] of Object.entries(content)) {
    const where = `${path}: ${key}`;
    if (!Object.hasOwn(schema, key)) problems.push(`${path}: ${unknown("key", key, namesOf(schema))}`);
    else if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      found.set(key, { where, text: String(value) });
    else if (Array.isArray(value) && value.every((each) => typeof each === "string"))
      found.set(key, { where, text: value.join(",") });
    else problems.push(`${where} must be a text, a number, true, false or a list of texts`);
  }
  return found;
}

function unknown(what: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  const meant = nearest(name, names);
  const hint = meant === undefined ? `known: ${names.join(", ")}` : `did you mean ${meant}?`;
  return `unknown ${what} ${name}: ${hint}`;
}
