import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Column, Output, parseFormat, shrink } from "./output.ts";
import { TestSink } from "./testing/sink.ts";

type Row = { readonly id: string; readonly n: number; readonly why: string };

const COLUMNS: readonly Column<Row>[] = [
  { title: "id", value: (row) => row.id },
  { title: "n", value: (row) => String(row.n), right: true },
  { title: "why", value: (row) => row.why, prose: true },
];
const ROWS: readonly Row[] = [
  { id: "a", n: 7, why: "because" },
  { id: "long-one", n: 1234, why: "a reason that is far longer than\nwhat fits into a narrow terminal" },
];

function outputs(format: string, columns?: number, colour = false) {
  const out = new TestSink(columns);
  const err = new TestSink(columns);
  return { out, err, output: new Output(parseFormat(format), colour, out, err) };
}

function listed(format: string, rows = ROWS, columns?: number): { out: string; err: string } {
  const { out, err, output } = outputs(format, columns);
  output.list(rows, COLUMNS, (row) => ({ ...row }), "nothing there");
  return { out: out.text, err: err.text };
}

describe("list", () => {
  it("aligns columns, numbers to the right, and leaves no blanks behind", () => {
    expect(listed("table").out).toBe(
      [
        "ID           N  WHY",
        "a            7  because",
        "long-one  1234  a reason that is far longer than⏎what fits into a narrow terminal",
        "",
      ].join("\n"),
    );
  });
  it("cuts prose to the width of a terminal, and never ids", () => {
    const lines = listed("table", ROWS, 40).out.trimEnd().split("\n");
    expect(lines[2]).toBe("long-one  1234  a reason that is far lo…");
    const narrow = listed("table", ROWS, 10).out.trimEnd().split("\n");
    expect(narrow[2]).toBe("long-one  1234  a rea…");
  });
  it("takes a terminal that does not say its width for one of 80 columns", () => {
    expect(
      Math.max(
        ...listed("table", ROWS, 0)
          .out.split("\n")
          .map((line) => line.length),
      ),
    ).toBe(80);
  });
  it("says on stderr that there is nothing; scripts get an empty list", () => {
    expect(listed("table", [])).toEqual({ out: "", err: "nothing there\n" });
    expect(listed("json", [])).toEqual({ out: "[]\n", err: "" });
    expect(listed("jsonl", [])).toEqual({ out: "", err: "" });
    expect(listed("yaml", [])).toEqual({ out: "[]\n", err: "" });
  });
  it("writes the same data in every format", () => {
    expect(JSON.parse(listed("json").out)).toEqual(ROWS);
    expect(
      listed("jsonl")
        .out.trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(ROWS);
    expect(parse(listed("yaml").out)).toEqual(ROWS);
  });
});

describe("one", () => {
  it("writes facts under each other, without those that have no value", () => {
    const { out, output } = outputs("table");
    output.one(
      ROWS[0] as Row,
      (row) => [
        ["id", row.id],
        ["none", ""],
        ["several", "first\nsecond"],
      ],
      (row) => ({ ...row }),
    );
    expect(out.text).toBe("id       a\nseveral  first\n         second\n");
  });
  it("shows escape sequences instead of sending them", () => {
    const { out, output } = outputs("table");
    output.one(
      "\u001b[2J",
      (value) => [["reason", value]],
      (value) => value,
    );
    expect(out.text).toBe("reason  �[2J\n");
  });
});

describe("items", () => {
  const written = (format: string, count: number): string => {
    const { out, output } = outputs(format);
    const items = output.items();
    for (let n = 0; n < count; n += 1) items.item({ n }, () => `item ${n}\n`);
    items.end();
    return out.text;
  };
  it("is text, lines, or one array that is whole in the end", () => {
    expect(written("table", 2)).toBe("item 0\nitem 1\n");
    expect(written("jsonl", 2)).toBe('{"n":0}\n{"n":1}\n');
    expect(JSON.parse(written("json", 2))).toEqual([{ n: 0 }, { n: 1 }]);
    expect(JSON.parse(written("json", 0))).toEqual([]);
    expect(parse(written("yaml", 2))).toEqual([{ n: 0 }, { n: 1 }]);
    expect(parse(written("yaml", 0))).toEqual([]);
  });
});

describe("colours and redrawing", () => {
  it("colours only what a terminal shows, and not when it was told not to", () => {
    expect(outputs("table", 80, true).output.paint("red", "x")).toBe("\u001b[31mx\u001b[0m");
    expect(outputs("table", 80, false).output.paint("red", "x")).toBe("x");
    expect(outputs("table", undefined, true).output.paint("red", "x")).toBe("x");
  });
  it("goes up as many lines as it drew, none of which wraps", () => {
    const { err, output } = outputs("table", 10);
    output.redraw(0, ["one", "a line that is too long"]);
    output.redraw(2, ["two"]);
    expect(err.text).toBe("one\na line t…\n\u001b[2A\u001b[Jtwo\n");
  });
});

it("shrinks the widest of the columns that may be cut, down to a floor", () => {
  expect(shrink([5, 30, 20], [false, true, true], 45)).toEqual([5, 20, 20]);
  expect(shrink([5, 30, 20], [false, true, true], 10)).toEqual([5, 6, 6]);
  expect(shrink([5, 30, 20], [false, false, false], 10)).toEqual([5, 30, 20]);
});

it("refuses a format that there is not", () => {
  expect(() => parseFormat("xml")).toThrow("-o must be one of table, json, jsonl, yaml; got 'xml'");
});
