import type { KeyRange } from "@greco/ports";
import { expect, it } from "vitest";
import { createWire } from "./wire.ts";

const wire = createWire("p/");
const shown = (range: KeyRange, descending = false): string => {
  const { key, range_end: end } = wire.range(range, descending);
  return `${JSON.stringify(key.toString())}..${end === undefined ? "" : JSON.stringify(end.toString())}`;
};

it("keeps every range below the store's own prefix", () => {
  expect(shown({ key: "a" })).toBe('"p/a"..');
  expect(shown({ prefix: "" })).toBe('"p/".."p0"');
  expect(shown({ prefix: "a/" })).toBe('"p/a/".."p/a0"');
});

it("starts behind a key, in the direction of the read, and never leaves the prefix", () => {
  expect(shown({ prefix: "a/", after: "a/1" })).toBe('"p/a/1\\u0000".."p/a0"');
  expect(shown({ prefix: "a/", after: "0" })).toBe('"p/a/".."p/a0"');
  expect(shown({ prefix: "a/", after: "a/1" }, true)).toBe('"p/a/".."p/a/1"');
  expect(shown({ prefix: "a/", after: "b" }, true)).toBe('"p/a/".."p/a0"');
});

it("asks for a key that cannot be where a range is empty", () => {
  expect(shown({ prefix: "a/", after: "b" })).toBe('"p/"..');
  expect(shown({ prefix: "a/", after: "a" }, true)).toBe('"p/"..');
});
