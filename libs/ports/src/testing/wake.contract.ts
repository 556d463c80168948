/** What every `Wake` must do (wake.ts): hints to who listens on the topic, and to nobody else; never in the notifier's own turn. */
import { describe, expect } from "vitest";
import type { Wake } from "../wake.ts";
import { type Setup, tester } from "./harness.ts";

/** Resolves at the first hint on `topic`. */
export function hint(wake: Wake, topic: string): Promise<void> {
  return new Promise((resolve) => {
    const stop = wake.listen(topic, () => {
      stop();
      resolve();
    });
  });
}

/** Far beyond what a hint takes, also over a server that has just come back. */
const HINT_MS = 30_000;

/** Notifies again and again, because a hint may be lost. */
export async function until(wake: Wake, topic: string, came: Promise<void>): Promise<void> {
  const end = performance.now() + HINT_MS;
  let done = false;
  const settle = came.then(() => {
    done = true;
  });
  while (!done) {
    if (performance.now() > end) throw new Error(`nobody was woken on "${topic.slice(0, 40)}"`);
    wake.notify(topic);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settle;
}

export function wakeContract(name: string, setup: Setup<Wake>): void {
  describe(`${name} keeps the contract of Wake`, () => {
    const test = tester(setup);

    test("wakes who listens on a topic, each of them", async (wake) => {
      await until(
        wake,
        "lane.1",
        Promise.all([hint(wake, "lane.1"), hint(wake, "lane.1")]).then(() => undefined),
      );
    });

    test("wakes nobody on another topic", async (wake) => {
      let woken = 0;
      wake.listen("lane.2", () => woken++);
      wake.listen("lane", () => woken++);
      await until(wake, "lane.1", hint(wake, "lane.1"));
      expect(woken).toBe(0);
    });

    test("does not call a listener within the notifier's turn", async (wake) => {
      let called = false;
      const came = new Promise<void>((resolve) => {
        wake.listen("t", () => {
          called = true;
          resolve();
        });
      });
      wake.notify("t");
      expect(called).toBe(false);
      await until(wake, "t", came);
    });

    test("leaves a listener alone once it has stopped, and others not; stopping twice is stopping", async (wake) => {
      let stopped = 0;
      const listener = (): void => {
        stopped++;
      };
      const stop = wake.listen("t", listener);
      // The same function again is a listener of its own.
      let kept = 0;
      const both = (): void => {
        kept++;
      };
      wake.listen("t", both);
      const stopOne = wake.listen("t", both);
      wake.notify("t");
      stop();
      stop();
      stopOne();
      await until(wake, "t", hint(wake, "t"));
      expect([stopped, kept > 0]).toEqual([0, true]);
    });

    test("lets a listener stop another in its call", async (wake) => {
      const seen: string[] = [];
      const stopped = (): void => stop();
      wake.listen("t", stopped);
      const stop = wake.listen("t", () => seen.push("stopped"));
      await until(wake, "t", hint(wake, "t"));
      await until(wake, "t", hint(wake, "t"));
      expect(seen).toEqual([]);
    });

    test("wakes nobody once it is closed, and closes as often as it is asked", async (_wake, harness) => {
      const closed = await harness.open();
      await using open = await harness.open();
      let woken = 0;
      closed.listen("t", () => woken++);
      closed.notify("t");
      await closed[Symbol.asyncDispose]();
      await closed[Symbol.asyncDispose]();
      closed.notify("t");
      closed.listen("t", () => woken++)();
      await until(open, "t", hint(open, "t"));
      expect(woken).toBe(0);
    });
  });
}
