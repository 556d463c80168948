import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { missingLine, stepsOf } from "./tutorial.ts";

describe("the tutorial", () => {
  it("is read from between its markers, commands with what they show", () => {
    const readme =
      "```sh\nno\n```\n<!-- tutorial -->\n```sh\na\n```\n\n```text\nA\n…\n```\n```sh\nb\n```\n<!-- /tutorial -->";
    expect(stepsOf(readme)).toEqual([
      { commands: "a\n", shown: ["A", "…"] },
      { commands: "b\n", shown: [] },
    ]);
    expect(() => stepsOf("nothing")).toThrow("the page lacks <!-- tutorial -->");
  });

  it("begins with greco dev, and shows something at almost every step", () => {
    const steps = stepsOf(readFileSync(join(import.meta.dirname, "../../README.md"), "utf8"));
    expect(steps[0]?.commands).toContain("greco dev");
    expect(steps.filter(({ shown }) => shown.length > 0).length).toBeGreaterThan(5);
  });
});

describe("what a step shows", () => {
  const output = "first\n  ✓ worker   accepts, ready\nlanes.01k:4  epoch 2\nlast";
  it("is found in its order, with anything for …, and blanks as they come", () => {
    expect(missingLine(["✓ worker accepts, ready", "…", "lanes.…:4  epoch 2"], output)).toBeUndefined();
  });
  it("is missed when it is another, or stands before", () => {
    expect(missingLine(["lanes.…:5  epoch 2"], output)).toBe("lanes.…:5  epoch 2");
    expect(missingLine(["last", "first"], output)).toBe("first");
    expect(missingLine(["accepts"], output)).toBe("accepts");
  });
});
