import { describe, expect, it } from "vitest";
import { epoch } from "../model/ids.ts";
import type { Entry, WriterLease } from "./entry.ts";
import { seq, writerId } from "./entry.ts";
import { leaseSeen } from "./lease-view.ts";
import { countable } from "./reader-rule.ts";

const rows = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({
    kind: "data",
    seq: seq(from + index),
    epoch: epoch(1),
    appendedAtMs: 0,
    key: "",
    payload: new Uint8Array(),
  }));
const open = { closeRequested: false, firstRetained: seq(1) };
const lease = (state: WriterLease["state"]): WriterLease => ({ writer: writerId("w"), count: 3, state });

describe("what a reader may take", () => {
  it("takes every row while the lease is held", () => {
    const view = leaseSeen(undefined, lease("held"), 0);
    expect(countable(seq(1), rows(1, 3), open, view, 199, 100)).toEqual({
      entries: rows(1, 3),
      ended: false,
    });
  });

  it("R2: takes nothing without an end once the lease is closing, closed or absent", () => {
    for (const stands of [lease("closing"), lease("closed"), undefined]) {
      const view = leaseSeen(undefined, stands, 0);
      expect(countable(seq(1), rows(1, 3), open, view, 0, 100).entries).toEqual([]);
    }
  });

  it("R2: takes nothing without an end once its view of the lease has lapsed", () => {
    const view = leaseSeen(leaseSeen(undefined, lease("held"), 0), lease("held"), 150);
    expect(countable(seq(1), rows(1, 3), open, view, 199, 100).entries).toHaveLength(3);
    expect(countable(seq(1), rows(1, 3), open, view, 200, 100).entries).toEqual([]);
  });

  it("R2: takes only rows up to the end, and ends there", () => {
    const view = leaseSeen(undefined, lease("closed"), 0);
    const ended = { ...open, end: seq(2) };
    expect(countable(seq(1), rows(1, 3), ended, view, 0, 100)).toEqual({ entries: rows(1, 2), ended: true });
    expect(countable(seq(1), rows(1, 1), ended, view, 0, 100).ended).toBe(false);
    expect(countable(seq(3), rows(3, 3), ended, view, 0, 100)).toEqual({ entries: [], ended: true });
    expect(countable(seq(1), [], { ...open, end: seq(0) }, view, 0, 100).ended).toBe(true);
  });
});
