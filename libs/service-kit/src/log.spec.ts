import { expect, it } from "vitest";
import { createLog } from "./log.ts";

function capture(options: { pretty?: boolean; level?: "debug" | "info" } = {}) {
  const lines: string[] = [];
  return { lines, log: createLog({ service: "registry", write: (line) => lines.push(line), ...options }) };
}

it("writes an event and its fields as one JSON line, with what a child adds", () => {
  const { lines, log } = capture();
  log.debug("not.shown");
  log.child({ model: "flights" }).info("commit.decided", { version: 7n, decision: "promoted" });
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    {
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      service: "registry",
      model: "flights",
      event: "commit.decided",
      version: "7",
      decision: "promoted",
    },
  ]);
});

it("shows an error with its chain of causes, and the stack of the innermost", () => {
  const { lines, log } = capture();
  log.error("call.failed", {
    error: new Error("outer", { cause: new TypeError("inner", { cause: "because" }) }),
  });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    error: [
      { name: "Error", message: "outer" },
      { name: "TypeError", message: "inner", stack: expect.any(String) as string },
      { name: "thrown", message: "because" },
    ],
  });
});

it("survives an endless chain of causes", () => {
  const { lines, log } = capture();
  const error = new Error("loop");
  error.cause = error;
  log.error("x", { error });
  expect((JSON.parse(lines[0] ?? "") as { error: unknown[] }).error).toHaveLength(8);
});

it("writes a readable line for a terminal", () => {
  const { lines, log } = capture({ pretty: true });
  log.warn("lane.sealed", { lane: "a.b", end: 3 });
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}\[registry\] lane\.sealed lane=a\.b end=3\n$/);
});
