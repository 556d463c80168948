import { describe, expect, it } from "vitest";
import { diffLines } from "./diff-lines.ts";

describe("diffLines", () => {
  it("shows what changed with two lines around it", () => {
    const before = ["1", "2", "3", "4", "5", "6", "7"].join("\n");
    expect(diffLines(before, before.replace("4", "four"))).toEqual([
      "  2",
      "  3",
      "- 4",
      "+ four",
      "  5",
      "  6",
    ]);
  });
  it("marks what it leaves out between two changes", () => {
    const lines = Array.from({ length: 12 }, (_, index) => String(index));
    const after = lines.map((line) => (line === "1" || line === "10" ? `${line}!` : line));
    expect(diffLines(lines.join("\n"), after.join("\n"))).toContain("  …");
  });
  it("is empty for equal texts, all added for a new one", () => {
    expect(diffLines("a\nb", "a\nb")).toEqual([]);
    expect(diffLines("", "a\nb")).toEqual(["+ a", "+ b"]);
  });
});
