import { expect, it } from "vitest";
import { nearest } from "./nearest.ts";

it("names the known name with the fewest edits, whatever the case", () => {
  expect(nearest("a-mian", ["A-main", "A-memory", "A-gap"])).toBe("A-main");
});

it("has no suggestion when nothing is known", () => {
  expect(nearest("x", [])).toBeUndefined();
});
