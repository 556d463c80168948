import { describe, expect, it } from "vitest";
import { epoch } from "../model/ids.ts";
import { AppendWindow } from "./append-window.ts";

const message = (key: string) => ({ key, payload: new TextEncoder().encode("{}") });

function opened(): AppendWindow {
  const window = new AppendWindow(epoch(1));
  window.open(undefined, 0);
  return window;
}

describe("AppendWindow", () => {
  it("R1: acknowledges nothing before all that stands before it is durable", () => {
    const window = opened();
    const first = window.depart(10, 1000);
    window.data([message("a")], 2, 0);
    const second = window.depart(10, 1000);
    if (first === undefined || second === undefined) throw new Error("nothing departed");
    window.landed(second);
    expect(window.durable).toBe(0);
    expect(window.acknowledge(true)).toEqual([]);
    window.landed(first);
    expect(window.durable).toBe(2);
    expect(window.acknowledge(true).map((ticket) => ticket.last)).toEqual([1, 2]);
  });

  it("R1: acknowledges nothing while the lease does not hold, and keeps it for when it does", () => {
    const window = opened();
    const flight = window.depart(10, 1000);
    if (flight === undefined) throw new Error("nothing departed");
    window.landed(flight);
    expect(window.acknowledge(false)).toEqual([]);
    expect(window.acknowledge(true)).toHaveLength(1);
    expect(window.acknowledge(true)).toEqual([]);
  });

  it("gives one append consecutive seqs, one epoch and one store append", () => {
    const window = opened();
    window.data([message("a"), message("b")], 4, 0);
    window.data([message("c")], 2, 0);
    const small = window.depart(2, 1000);
    expect(small?.entries.map((entry) => entry.seq)).toEqual([1]);
    expect(window.depart(1, 1)?.entries.map((entry) => entry.seq)).toEqual([2, 3]);
    expect(window.depart(1, 1)?.entries.map((entry) => entry.seq)).toEqual([4]);
    expect(window.depart(1, 1)).toBeUndefined();
    expect(window.settled).toBe(false);
  });

  it("I7: refuses a marker that is not above the lane's epoch", () => {
    const window = opened();
    window.marker(epoch(3), undefined, 0);
    expect(() => window.marker(epoch(3), undefined, 0)).toThrow("I7");
    expect(() => window.marker(epoch(2), undefined, 0)).toThrow("I7");
    expect(window.data([message("a")], 2, 0).epoch).toBe(3);
  });

  it("counts what is taken and not acknowledged", () => {
    const window = opened();
    window.data([message("a")], 2, 0);
    expect(window.load).toEqual({ entries: 2, bytes: 2 });
    const flight = window.depart(10, 1000);
    if (flight !== undefined) window.landed(flight);
    window.acknowledge(true);
    expect(window.load).toEqual({ entries: 0, bytes: 0 });
    expect(window.settled).toBe(true);
  });
});
