/** What a `Wake` with a server behind it must bear. Hints may be lost meanwhile, and nothing else. */
import { describe, expect } from "vitest";
import type { Wake } from "../wake.ts";
import { type ServerSetup, serverTester } from "./harness.ts";
import { hint, until } from "./wake.contract.ts";

/** Any text is a topic, whatever the server's own names may hold. */
const TOPICS = ["lane.a.b", "a b", "*", ">", "", ".", "é\r\n", "x".repeat(5_000)] as const;

export function wakeServerContract(name: string, setup: ServerSetup<Wake>): void {
  const test = serverTester(setup);
  describe(`${name} keeps the contract of Wake through its server's troubles`, () => {
    test("wakes other handles, on any topic", async (wake, harness) => {
      await using other = await harness.open();
      for (const topic of TOPICS) await until(other, topic, hint(wake, topic));
    });

    test("never throws while the server is down, wakes its own listeners, and all again later", async (wake, harness) => {
      await using other = await harness.open();
      await until(other, "t", hint(wake, "t"));
      await harness.stop();
      for (let turn = 0; turn < 1_000; turn++) wake.notify(`t${turn}`);
      await until(wake, "t", hint(wake, "t"));
      await harness.start();
      await until(other, "t", hint(wake, "t"));
      await until(wake, "t", hint(other, "t"));
    });

    test("tells listeners once that they may have missed something", async (wake, harness) => {
      const missed = hint(wake, "t");
      harness.cut();
      await missed;
    });

    test("I9: opens while the server is down, wakes its own listeners, and others when it comes", async (_wake, harness) => {
      await harness.stop();
      await using one = await harness.open();
      await using other = await harness.open();
      await until(one, "own", hint(one, "own"));
      const woken = hint(one, "t");
      await harness.start();
      await until(other, "t", woken);
    });

    test("closes while the server is down", async (_wake, harness) => {
      const closing = await harness.open();
      let woken = 0;
      closing.listen("t", () => woken++);
      await harness.stop();
      closing.notify("t");
      await closing[Symbol.asyncDispose]();
      closing.notify("t");
      expect(woken).toBe(0);
    });
  });
}
