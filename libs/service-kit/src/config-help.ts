/** `--help` of a service: what it is, and each setting with its flag, its name in the environment, and its default. */
import { ENV_PREFIX, envOf, flagOf } from "./config-names.ts";
import type { ConfigKey, ConfigSchema } from "./config.ts";

export type HelpOptions = {
  /** The app: `registry`. */
  readonly name: string;
  /** One sentence. */
  readonly about: string;
  readonly schema: ConfigSchema;
  readonly envPrefix?: string;
};

export function configHelp({ name, about, schema, envPrefix = ENV_PREFIX }: HelpOptions): string {
  const settings = Object.entries(schema).filter(([, key]) => key.unused !== true);
  const rows = settings.map(([key, setting]) => [
    `${flagOf(key)} ${placeholder(setting)}`,
    envOf(key, envPrefix),
    `${setting.about}${remark(setting)}`,
  ]);
  const own = [
    ["--config FILE", "GRECO_CONFIG", "YAML or JSON with these settings by their names in camelCase"],
    ["--help", "", "says this"],
    ["--version", "", "says the version"],
  ];
  return [
    `greco ${name}: ${about}`,
    "",
    "A flag counts before the environment, that before the file, that before the default.",
    "",
    ...table([...rows, ...own]),
    "",
  ].join("\n");
}

function placeholder({ kind = "VALUE" }: ConfigKey<unknown>): string {
  return kind;
}

function remark({ default: fallback, optional }: ConfigKey<unknown>): string {
  if (optional === true) return "";
  if (fallback === undefined) return " (required)";
  const text = textOf(fallback);
  return text === "" ? "" : ` (default ${text})`;
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  if (typeof value === "object" && value !== null && "host" in value && "port" in value) {
    const host = String(value.host);
    return `${host.includes(":") ? `[${host}]` : host}:${String(value.port)}`;
  }
  return String(value);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number): number => Math.max(...rows.map((row) => (row[column] ?? "").length));
  const widths = [width(0), width(1)];
  return rows.map(
    ([flag = "", env = "", about = ""]) =>
      `  ${flag.padEnd(widths[0] ?? 0)}  ${env.padEnd(widths[1] ?? 0)}  ${about}`,
  );
}
