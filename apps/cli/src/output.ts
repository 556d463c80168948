/** Data on stdout in the form that was asked for; progress and notes on stderr. */
import { stripVTControlCharacters } from "node:util";
import type { JsonValue } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { CliError } from "./cli-error.ts";
import { fit, oneLine, padEnd, padStart, printable, widthOf, wrap } from "./text.ts";

export const FORMATS = ["table", "json", "jsonl", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

export function parseFormat(text: string): Format {
  const format = FORMATS.find((each) => each === text);
  if (format === undefined)
    throw new CliError(`-o must be one of ${FORMATS.join(", ")}; got '${text}'`, "give one of them");
  return format;
}

export type Column<T> = {
  readonly title: string;
  readonly value: (row: T) => string;
  readonly right?: boolean;
  /** Prose: cut where the terminal is too narrow. Ids never are: a part of one is of no use. */
  readonly prose?: boolean;
};

/** The third colours a line once it is known to be harmless. */
export type Fact = readonly [name: string, value: string, paint?: (line: string) => string];
export type Facts = readonly Fact[];

export type Sink = {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  readonly isTTY?: boolean | undefined;
};

/** Items as they come: lines as jsonl, one array as json and yaml, text otherwise. */
export type Items = {
  item(json: JsonValue, text: () => string): void;
  end(): void;
};

/** SGR codes. */
export type Paint = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
const SGR: Readonly<Record<Paint, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

const GAP = "  ";
/** Prose is not made narrower than this to let the others have their room. */
const COLUMN_MIN = 6;
const COLUMNS_DEFAULT = 80;
const YAML = { lineWidth: 110 } as const;

export class Output {
  readonly format: Format;
  readonly #out: Sink;
  readonly #err: Sink;
  readonly #colour: boolean;

  constructor(format: Format, colour: boolean, out: Sink = process.stdout, err: Sink = process.stderr) {
    this.format = format;
    this.#colour = colour;
    this.#out = out;
    this.#err = err;
  }

  /** A person looks at what goes to stderr. */
  get live(): boolean {
    return this.#err.isTTY === true;
  }

  get isTable(): boolean {
    return this.format === "table";
  }

  /** For people, on stderr. */
  note(text: string): void {
    this.#err.write(`${text}\n`);
  }

  /** Data as text, on stdout; only where the format is a table. */
  line(text: string): void {
    this.#out.write(`${text}\n`);
  }

  raw(text: string): void {
    this.#out.write(text);
  }

  /** Replaces the last `lines` lines of stderr; each is cut to the width, so that the next time counts them right. */
  redraw(lines: number, text: readonly string[]): void {
    const up = lines > 0 ? `\u001b[${lines}A\u001b[J` : "";
    const room = widthOfSink(this.#err) - 1;
    this.#err.write(
      up +
        text
          .map((line) => `${widthOf(line) > room ? fit(stripVTControlCharacters(line), room) : line}\n`)
          .join(""),
    );
  }

  /** For what goes to stdout. */
  paint(colour: Paint, text: string): string {
    return paint(this.#colour && this.#out.isTTY === true, colour, text);
  }

  /** For what goes to stderr. */
  paintNote(colour: Paint, text: string): string {
    return paint(this.#colour && this.live, colour, text);
  }

  list<T>(
    rows: readonly T[],
    columns: readonly Column<T>[],
    json: (row: T) => JsonValue,
    empty: string,
  ): void {
    if (this.format === "json") this.line(JSON.stringify(rows.map(json), null, 2));
    else if (this.format === "jsonl") for (const row of rows) this.line(JSON.stringify(json(row)));
    else if (this.format === "yaml") this.raw(stringify(rows.map(json), YAML));
    else if (rows.length === 0) this.note(empty);
    else this.#table(rows, columns);
  }

  one<T>(row: T, facts: (row: T) => Facts, json: (row: T) => JsonValue): void {
    if (this.isTable) this.#facts(facts(row));
    else this.value(json(row));
  }

  /** One value, in a format that is not a table. */
  value(json: JsonValue): void {
    if (this.format === "json") this.line(JSON.stringify(json, null, 2));
    else if (this.format === "yaml") this.raw(stringify(json, YAML));
    else this.line(JSON.stringify(json));
  }

  /** Something is done that has no data of its own: a sentence for people, what was asked for scripts. */
  done(sentence: string, json: JsonValue): void {
    if (this.isTable) this.note(sentence);
    else this.value(json);
  }

  items(): Items {
    let count = 0;
    return {
      item: (json, text) => {
        count += 1;
        if (this.isTable) this.raw(text());
        else if (this.format === "yaml") this.raw(stringify([json], YAML));
        else if (this.format === "jsonl") this.line(JSON.stringify(json));
        else this.raw(`${count === 1 ? "[" : ","}\n${JSON.stringify(json)}`);
      },
      end: () => {
        if (this.format === "json") this.line(count === 0 ? "[]" : "\n]");
        else if (this.format === "yaml" && count === 0) this.line("[]");
      },
    };
  }

  #facts(facts: Facts): void {
    const lines = facts.filter(([, value]) => value !== "");
    const width = Math.max(0, ...lines.map(([name]) => name.length));
    const room = widthOfSink(this.#out) - width - GAP.length;
    for (const [name, value, colour = (line: string) => line] of lines) {
      const [first = "", ...more] = printable(value)
        .split("\n")
        .flatMap((line) => wrap(line, room))
        .map(colour);
      this.line(`${this.paint("dim", name.padEnd(width))}${GAP}${first}`);
      for (const line of more) this.line(`${" ".repeat(width)}${GAP}${line}`);
    }
  }

  #table<T>(rows: readonly T[], columns: readonly Column<T>[]): void {
    const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row))));
    const room = widthOfSink(this.#out);
    const widths = shrink(
      columns.map(({ title }, index) =>
        Math.max(title.length, ...cells.map((line) => widthOf(line[index] ?? ""))),
      ),
      columns.map(({ prose }) => prose === true),
      room - GAP.length * (columns.length - 1),
    );
    const format = (line: readonly string[]): string =>
      line
        .map((cell, index) => {
          const width = widths[index] ?? 0;
          const cut = fit(cell, width);
          return columns[index]?.right === true ? padStart(cut, width) : padEnd(cut, width);
        })
        .join(GAP)
        .trimEnd();
    this.line(this.paint("bold", format(columns.map((column) => column.title.toUpperCase()))));
    for (const line of cells) this.line(format(line));
  }
}

function paint(on: boolean, colour: Paint, text: string): string {
  return on && text !== "" ? `\u001b[${SGR[colour]}m${text}\u001b[0m` : text;
}

/** A file has no width; a terminal without a size says 0. */
export function widthOfSink({ columns, isTTY }: Sink): number {
  if (isTTY !== true) return Number.POSITIVE_INFINITY;
  return columns === undefined || columns <= 0 ? COLUMNS_DEFAULT : columns;
}

/** Takes from the widest of the columns that may be cut what does not fit. */
export function shrink(widths: readonly number[], cuttable: readonly boolean[], room: number): number[] {
  const left = [...widths];
  for (let excess = left.reduce((sum, width) => sum + width, 0) - room; excess > 0; excess -= 1) {
    const most = Math.max(0, ...left.filter((_width, index) => cuttable[index]));
    if (most <= COLUMN_MIN) break;
    const widest = left.findIndex((width, index) => width === most && cuttable[index]);
    left[widest] = most - 1;
  }
  return left;
}
