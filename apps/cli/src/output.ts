/** Data on stdout in the form that was asked for; progress and notes on stderr. */
import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { CliError, EXIT } from "./cli-error.ts";

export const FORMATS = ["table", "json", "jsonl", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

export function parseFormat(text: string): Format {
  const format = FORMATS.find((each) => each === text);
  if (format === undefined)
    throw new CliError(`-o must be one of ${FORMATS.join(", ")}; got '${text}'`, undefined, EXIT.usage);
  return format;
}

export type Column<T> = {
  readonly title: string;
  readonly value: (row: T) => string;
  readonly right?: boolean;
};

/** int64 as numbers where they are exact: scripts want to compute with them. */
export function plain<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonValue {
  return numbers(toJson(schema, message, { alwaysEmitImplicit: true }));
}

const INTEGER_FIELDS =
  /(version|seq|epoch|number|sequence|count|incarnation|revision|lag|entries|batchId|retryAfterMs)$/i;

function numbers(value: JsonValue, key = ""): JsonValue {
  if (typeof value === "string")
    return INTEGER_FIELDS.test(key) && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (Array.isArray(value)) return value.map((each) => numbers(each, key));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, numbers(each, name)]));
}

type Sink = { write(text: string): unknown; readonly columns?: number | undefined; readonly isTTY?: boolean };

export class Output {
  readonly format: Format;
  readonly #out: Sink;
  readonly #err: Sink;
  readonly colour: boolean;

  constructor(format: Format, colour: boolean, out: Sink = process.stdout, err: Sink = process.stderr) {
    this.format = format;
    this.colour = colour;
    this.#out = out;
    this.#err = err;
  }

  get live(): boolean {
    return this.#err.isTTY === true;
  }

  note(text: string): void {
    this.#err.write(`${text}\n`);
  }

  raw(text: string): void {
    this.#out.write(text);
  }

  /** Replaces the last `lines` lines on a terminal. */
  redraw(lines: number, text: readonly string[]): void {
    const up = lines > 0 ? `\u001b[${lines}A\u001b[J` : "";
    this.#err.write(`${up}${text.map((line) => `${line}\n`).join("")}`);
  }

  paint(code: string, text: string): string {
    return this.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }

  list<T>(
    rows: readonly T[],
    columns: readonly Column<T>[],
    json: (row: T) => JsonValue,
    empty: string,
  ): void {
    if (this.format === "json") this.#out.write(`${JSON.stringify(rows.map(json), null, 2)}\n`);
    else if (this.format === "jsonl")
      for (const row of rows) this.#out.write(`${JSON.stringify(json(row))}\n`);
    else if (this.format === "yaml") this.#out.write(stringify(rows.map(json)));
    else if (rows.length === 0) this.note(empty);
    else this.#table(rows, columns);
  }

  one<T>(
    row: T,
    facts: (row: T) => readonly (readonly [string, string])[],
    json: (row: T) => JsonValue,
  ): void {
    if (this.format === "json") this.#out.write(`${JSON.stringify(json(row), null, 2)}\n`);
    else if (this.format === "jsonl") this.#out.write(`${JSON.stringify(json(row))}\n`);
    else if (this.format === "yaml") this.#out.write(stringify(json(row)));
    else {
      const lines = facts(row).filter(([, value]) => value !== "");
      const width = Math.max(...lines.map(([name]) => name.length));
      for (const [name, value] of lines) {
        const [first = "", ...more] = value.split("\n");
        this.#out.write(
          `${this.paint("2", name.padEnd(width))}  ${first}\n${more.map((line) => `${" ".repeat(width + 2)}${line}\n`).join("")}`,
        );
      }
    }
  }

  #table<T>(rows: readonly T[], columns: readonly Column<T>[]): void {
    const cells = rows.map((row) => columns.map((column) => column.value(row)));
    const widths = columns.map((column, index) =>
      Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)),
    );
    const room = this.#out.isTTY === true ? (this.#out.columns ?? 80) : Number.POSITIVE_INFINITY;
    const format = (line: readonly string[]): string => {
      const text = line
        .map((cell, index) =>
          columns[index]?.right === true
            ? cell.padStart(widths[index] ?? 0)
            : cell.padEnd(widths[index] ?? 0),
        )
        .join("  ")
        .trimEnd();
      return text.length > room ? `${text.slice(0, room - 1)}…` : text;
    };
    this.#out.write(`${this.paint("1", format(columns.map((column) => column.title.toUpperCase())))}\n`);
    for (const line of cells) this.#out.write(`${format(line)}\n`);
  }
}
