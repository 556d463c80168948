import { describe, expect, it } from "vitest";
import { namesOf, token } from "./subjects.ts";

describe("names for NATS", () => {
  it.each([
    ["flights", "flights"],
    ["_models", "_models"],
    ["lane.1-2", "lane=2E1-2"],
    ["a b\r\n*>", "a=20b=0D=0A=2A=3E"],
    ["=41", "=3D41"],
    ["é", "=C3=A9"],
    ["", "="],
  ])("writes %j as %j", (text, name) => {
    expect(token(text)).toBe(name);
  });

  it("keeps long texts apart in a name of bounded length", () => {
    const [one, two] = [token("a".repeat(5_000)), token(`${"a".repeat(4_999)}b`)];
    expect(one).not.toBe(two);
    expect([one, two].every((name) => /^=h[0-9a-f]{64}$/.test(name))).toBe(true);
    expect(token(one)).not.toBe(one);
  });

  it("puts everything of a deployment under its prefix", () => {
    const names = namesOf("greco");
    expect([names.stream, names.controlOf("m.1"), names.wakeOf("lane.a")]).toEqual([
      "greco-control",
      "greco.control.m=2E1",
      "greco.wake.lane=2Ea",
    ]);
    for (const wrong of ["", "a.b", "a b", "*", "a".repeat(33)])
      expect(() => namesOf(wrong)).toThrow(/streamPrefix/);
  });
});
