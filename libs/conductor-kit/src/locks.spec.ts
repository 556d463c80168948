import { describe, expect, it } from "vitest";
import { KeyedLocks } from "./locks.ts";

const never = new AbortController().signal;

describe("locks by name", () => {
  it("K4: let one holder of a name in at a time, in turn, and strangers at once", async () => {
    const locks = new KeyedLocks();
    const order: string[] = [];
    const work = async (who: string, names: string[]): Promise<Disposable> => {
      const held = await locks.acquire(names, never);
      order.push(who);
      return held;
    };
    const first = await work("first", ["a", "b"]);
    const second = work("second", ["b", "c"]);
    const third = work("third", ["b"]);
    await work("stranger", ["d"]);
    expect(order).toEqual(["first", "stranger"]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    expect(order).toEqual(["first", "stranger", "second", "third"]);
  });

  it("wait holding nothing, so that nobody waits for them", async () => {
    const locks = new KeyedLocks();
    const held = await locks.acquire(["a"], never);
    const waiting = locks.acquire(["a", "b"], never);
    (await locks.acquire(["b"], never))[Symbol.dispose]();
    held[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
  });

  it("stop waiting when the signal aborts, and leave nothing held", async () => {
    const locks = new KeyedLocks();
    const held = await locks.acquire(["a"], never);
    const leaving = new AbortController();
    const waiting = locks.acquire(["a"], leaving.signal);
    leaving.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    held[Symbol.dispose]();
    (await locks.acquire(["a"], never))[Symbol.dispose]();
  });
});
