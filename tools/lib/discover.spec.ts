import { expect, it } from "vitest";
import { select } from "./discover.ts";

const known = [{ id: "A-main" }, { id: "A-I1" }, { id: "A-I15" }];

it("selects everything when nothing is named", () => {
  expect(select(known, [])).toEqual(known);
});

it("takes an id with or without its prefix, in any case", () => {
  expect(select(known, ["i1", "A-MAIN"])).toEqual([{ id: "A-main" }, { id: "A-I1" }]);
});

it("refuses an unknown id and names the nearest", () => {
  expect(() => select(known, ["A-mane"])).toThrow("unknown id A-mane; did you mean A-main?");
});
