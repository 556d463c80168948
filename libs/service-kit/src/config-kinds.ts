/** The usual kinds of configuration keys, each with its own check. */
import type { ConfigKey } from "./config.ts";

type Options<T> = { readonly default?: T };

function key<T>(
  kind: string,
  about: string,
  parse: (text: string) => T,
  { default: fallback }: Options<T>,
): ConfigKey<T> {
  return fallback === undefined ? { kind, about, parse } : { kind, about, parse, default: fallback };
}

export const config = {
  /** May be left out. */
  optional: <T>(of: ConfigKey<T>): ConfigKey<T | undefined> => ({ ...of, optional: true }),

  text: (about: string, options: Options<string> = {}): ConfigKey<string> =>
    key(
      "TEXT",
      about,
      (text) => {
        if (text === "") throw new Error("must not be empty");
        return text;
      },
      options,
    ),

  integer: (
    about: string,
    range: { readonly min: number; readonly max: number },
    options: Options<number> = {},
  ): ConfigKey<number> =>
    key(
      "N",
      about,
      (text) => {
        const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
        if (!(value >= range.min && value <= range.max))
          throw new Error(`must be a whole number from ${range.min} to ${range.max}`);
        return value;
      },
      options,
    ),

  flag: (about: string, options: Options<boolean> = {}): ConfigKey<boolean> =>
    key(
      "true|false",
      about,
      (text) => {
        if (text !== "true" && text !== "false") throw new Error("must be true or false");
        return text === "true";
      },
      options,
    ),

  oneOf: <const T extends string>(
    about: string,
    values: readonly T[],
    options: Options<T> = {},
  ): ConfigKey<T> =>
    key(
      values.join("|"),
      about,
      (text) => {
        const value = values.find((each) => each === text);
        if (value === undefined) throw new Error(`must be one of ${values.join(", ")}`);
        return value;
      },
      options,
    ),

  /** `host:port`, `[::1]:port`; port 0: any free one. */
  listen: (
    about: string,
    options: Options<{ host: string; port: number }> = {},
  ): ConfigKey<{ host: string; port: number }> =>
    key(
      "HOST:PORT",
      about,
      (text) => {
        const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(text);
        const port = Number(match?.[3]);
        if (match === null || port > 65_535) throw new Error("must be host:port, as 127.0.0.1:50051");
        return { host: match[1] ?? match[2] ?? "", port };
      },
      options,
    ),

  /** A comma list. */
  list: (about: string, options: Options<readonly string[]> = {}): ConfigKey<readonly string[]> =>
    key(
      "A,B",
      about,
      (text) =>
        text
          .split(",")
          .map((each) => each.trim())
          .filter((each) => each !== ""),
      options,
    ),

  /** The path of a file that holds the secret; the key's name must end in `File`. */
  secretFile: (about: string, options: Options<string> = {}): ConfigKey<string> =>
    key(
      "FILE",
      about,
      (text) => {
        if (text === "") throw new Error("must be the path of a file");
        return text;
      },
      options,
    ),
} as const;
