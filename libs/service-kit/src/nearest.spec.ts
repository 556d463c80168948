import { expect, it } from "vitest";
import { nearest } from "./nearest.ts";

it("finds the name that was meant, and none when nothing is near", () => {
  const known = ["leaseMs", "listen", "origins"];
  expect(nearest("leasems", known)).toBe("leaseMs");
  expect(nearest("orgins", known)).toBe("origins");
  expect(nearest("lsten", known)).toBe("listen");
  expect(nearest("zebra-crossing", known)).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});
