import { describe, expect, it } from "vitest";
import { fit, oneLine, padEnd, padStart, printable, widthOf, wrap } from "./text.ts";

describe("what others wrote", () => {
  it("cannot steer the terminal", () => {
    expect(printable("a\u001b[31mred\u001b[2J\u0007\u009bK")).toBe("a�[31mred�[2J��K");
    expect(printable("user\u202etxt.exe")).toBe("user�txt.exe");
  });
  it("keeps its lines, or becomes one", () => {
    expect(printable("a\r\nb\tc")).toBe("a\nb  c");
    expect(oneLine("a\nb")).toBe("a⏎b");
    expect(printable("a\rb")).toBe("a�b");
  });
});

describe("width", () => {
  it("counts columns, not code units, and no colours", () => {
    expect(widthOf("abc")).toBe(3);
    expect(widthOf("\u001b[1mabc\u001b[0m")).toBe(3);
    expect(widthOf("日本")).toBe(4);
    expect(widthOf("é")).toBe(1);
    expect(widthOf("🚀a")).toBe(3);
  });
  it("pads and cuts by columns", () => {
    expect(padEnd("日本", 6)).toBe("日本  ");
    expect(padStart("7", 3)).toBe("  7");
    expect(fit("abcdef", 4)).toBe("abc…");
    expect(fit("日本語", 4)).toBe("日…");
    expect(fit("abcd", 4)).toBe("abcd");
  });
});

it("breaks lines between words, further lines under the first", () => {
  expect(wrap("  one two three four", 11)).toEqual(["  one two", "  three", "  four"]);
  expect(wrap("a-word-that-is-too-long b", 5)).toEqual(["a-word-that-is-too-long", "b"]);
  expect(wrap("", 5)).toEqual([""]);
});
