import type { IEvent } from "etcd3";
import { expect, it } from "vitest";
import { createCursor } from "./watch-cursor.ts";

const put = (revision: number, key = "k"): IEvent =>
  ({ type: "Put", kv: { key: Buffer.from(key), mod_revision: String(revision) } }) as IEvent;
const revisionsOf = (events: readonly IEvent[] | undefined): number[] =>
  (events ?? []).map((event) => Number(event.kv.mod_revision));

it("I2: goes on behind what was delivered when it is cut right after its creation, twice in a row", () => {
  const cursor = createCursor(10);
  for (let cut = 0; cut < 2; cut++) {
    expect(cursor.position).toBe(10);
    // The store stands at 510; the history behind 10 is on its way, and does not arrive.
    cursor.created(510, 0);
    cursor.cut();
  }
  expect(cursor.position).toBe(10);
});

it("I2: moves to the last event that it got, not to where the store stood when it was sent", () => {
  const cursor = createCursor(10);
  cursor.created(5_000, 0);
  expect(cursor.events([put(11), put(1_010)], false)?.revision).toBe(1_010);
  cursor.cut();
  expect(cursor.position).toBe(1_010);
});

it("delivers a revision that came in parts as a whole, and asks for it again when the rest is lost", () => {
  const cursor = createCursor(10);
  cursor.created(12, 0);
  expect(cursor.events([put(11, "a"), put(12, "a")], true)).toBeUndefined();
  cursor.cut();
  expect(cursor.position).toBe(10);
  cursor.created(12, 0);
  expect(cursor.events([put(11, "a"), put(12, "a")], true)).toBeUndefined();
  expect(revisionsOf(cursor.events([put(12, "b")], false)?.events)).toEqual([11, 12, 12]);
  expect(cursor.position).toBe(12);
});

it("drops what it was told already", () => {
  const cursor = createCursor(10);
  cursor.created(12, 0);
  expect(cursor.events([put(9), put(10)], false)).toBeUndefined();
  expect(revisionsOf(cursor.events([put(10), put(11)], false)?.events)).toEqual([11]);
});

it("moves with its own mark, and never back", () => {
  const cursor = createCursor(10);
  cursor.mark(20, false);
  expect(cursor.position, "nobody has taken it yet").toBe(10);
  cursor.created(15, 0);
  cursor.mark(20, false);
  cursor.mark(18, false);
  expect(cursor.position).toBe(20);
});

it("I2: does not believe a mark that may answer a question from before its creation", () => {
  const cursor = createCursor(10);
  // One question is on its way; the store stood at 15 then, and stands there still.
  cursor.created(15, 1);
  expect(cursor.isUnsure).toBe(true);
  cursor.mark(15, true);
  expect(cursor.position).toBe(10);
  // That was its answer; the next one is to a later question.
  expect(cursor.isUnsure).toBe(false);
  cursor.mark(15, true);
  expect(cursor.position).toBe(15);
});

it("believes a mark of all above the revision of its creation at once", () => {
  const cursor = createCursor(10);
  cursor.created(15, 7);
  cursor.mark(16, true);
  expect(cursor.position).toBe(16);
});
