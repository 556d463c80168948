import { expect, it } from "vitest";
import { Members } from "./membership.ts";

it("counts on a member for as long as it beats, by this observer's clock", () => {
  const members = new Members("me", 100);
  members.see([{ runtime: "other", count: 1 }], 0);
  expect(members.live()).toEqual(["me", "other"]);
  members.see([{ runtime: "other", count: 2 }], 90);
  members.see([{ runtime: "other", count: 2 }], 189);
  expect(members.live()).toEqual(["me", "other"]);
  members.see([{ runtime: "other", count: 2 }], 190);
  expect(members.live()).toEqual(["me"]);
});

it("takes one that beats again back in", () => {
  const members = new Members("me", 100);
  members.see([{ runtime: "other", count: 1 }], 0);
  members.see([{ runtime: "other", count: 1 }], 100);
  members.see([{ runtime: "other", count: 2 }], 200);
  expect(members.live()).toEqual(["me", "other"]);
});

it("names those who have been silent for so long that nobody misses them", () => {
  const members = new Members("me", 100);
  members.see([{ runtime: "dead", count: 5 }], 0);
  members.see([{ runtime: "dead", count: 5 }], 500);
  expect(members.forgotten(900)).toEqual([]);
  expect(members.forgotten(1_100)).toEqual(["dead"]);
  members.see([], 1_200);
  expect(members.forgotten(5_000)).toEqual([]);
});

it("is live itself, whatever the listing says", () => {
  expect(new Members("me", 100).live()).toEqual(["me"]);
});
