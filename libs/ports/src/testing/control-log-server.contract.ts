/**
 * What a `ControlLog` with a server behind it must bear: the server restarts, loses all it has, is cut off. Nothing of
 * that may make a subscriber deaf, and a publish that resolved was taken.
 */
import { describe, expect } from "vitest";
import { type ControlLog, type LogMessage } from "../control-log.ts";
import { bytes, noAbort, type ServerSetup, serverTester, text } from "./harness.ts";

/** Reads until a message with this text comes; tells what came before it, and where it stood. */
async function readTo(messages: AsyncIterable<LogMessage>, end: string): Promise<LogMessage[]> {
  const seen: LogMessage[] = [];
  // The iterator stays open: the test reads on from it.
  const iterator = messages[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done === true) throw new Error(`the subscription ended before "${end}"`);
    seen.push(value);
    if (text(value.payload) === end) return seen;
  }
}

const textsOf = (messages: readonly LogMessage[]): string[] => messages.map(({ payload }) => text(payload));

export function controlLogServerContract(name: string, setup: ServerSetup<ControlLog>): void {
  const test = serverTester(setup);
  describe(`${name} keeps the contract of ControlLog through its server's troubles`, () => {
    test("goes on after a restart, with what was published before it", async (log, harness) => {
      const stop = new AbortController();
      const live = log.subscribe("flights", 0, stop.signal);
      await log.publish("flights", "1", bytes("before"), noAbort);
      await readTo(live, "before");
      await harness.stop();
      const publishing = log.publish("flights", "2", bytes("while it is down"), noAbort);
      await harness.start();
      await publishing;
      await log.publish("flights", "3", bytes("after"), noAbort);
      expect(textsOf(await readTo(live, "after"))).toEqual(["while it is down", "after"]);
      await using other = await harness.open();
      const all = await readTo(other.subscribe("flights", 0, stop.signal), "after");
      expect(textsOf(all)).toEqual(["before", "while it is down", "after"]);
      stop.abort(new Error("read enough"));
    });

    test("goes on after the server was wiped: publishers, and subscribers that stand", async (log, harness) => {
      const stop = new AbortController();
      const live = log.subscribe("flights", 0, stop.signal);
      for (const id of ["1", "2", "3"]) await log.publish("flights", id, bytes(id), noAbort);
      await readTo(live, "3");
      await harness.stop();
      await harness.wipe();
      await harness.start();
      await log.publish("flights", "4", bytes("after"), noAbort);
      expect(textsOf(await readTo(live, "after"))).toEqual(["after"]);
      stop.abort(new Error("read enough"));
    });

    test("is not deaf to what comes after a wipe behind a position from before it", async (log, harness) => {
      const stop = new AbortController();
      for (let turn = 0; turn < 20; turn++)
        await log.publish("flights", `${turn}`, bytes(`${turn}`), noAbort);
      const read = await readTo(log.subscribe("flights", 0, stop.signal), "19");
      const position = Math.max(...read.map((message) => message.position));
      await harness.stop();
      await harness.wipe();
      await harness.start();
      await log.publish("flights", "new", bytes("new"), noAbort);
      // As a conductor does that starts with its journal.
      await using restarted = await harness.open();
      const came = await readTo(restarted.subscribe("flights", position, stop.signal), "new");
      expect(textsOf(came)).toEqual(["new"]);
      stop.abort(new Error("read enough"));
    });

    test("loses nothing when its connection is cut again and again", async (log, harness) => {
      const stop = new AbortController();
      const seen = new Set<string>();
      const reading = (async () => {
        for await (const { payload } of log.subscribe("flights", 0, stop.signal)) {
          seen.add(text(payload));
          if (seen.size === 60) return;
        }
      })();
      for (let turn = 0; turn < 60; turn++) {
        if (turn % 10 === 5) harness.cut();
        await log.publish("flights", `${turn}`, bytes(`${turn}`), noAbort);
      }
      await reading;
      expect(seen.size).toBe(60);
      // The repeats of what was not acknowledged in time are dropped by their ids.
      await using other = await harness.open();
      await other.publish("flights", "end", bytes("end"), noAbort);
      const all = textsOf(await readTo(other.subscribe("flights", 0, stop.signal), "end"));
      expect(all.length).toBe(61);
      stop.abort(new Error("read enough"));
    });

    test("finds out by itself that nothing passes any more", async (log, harness) => {
      const stop = new AbortController();
      const live = log.subscribe("flights", 0, stop.signal);
      await log.publish("flights", "1", bytes("before"), noAbort);
      await readTo(live, "before");
      harness.freeze();
      const publishing = log.publish("flights", "2", bytes("frozen"), noAbort).catch(() => "not taken");
      await publishing;
      harness.thaw();
      await log.publish("flights", "3", bytes("after"), noAbort);
      expect(textsOf(await readTo(live, "after")).at(-1)).toBe("after");
      stop.abort(new Error("read enough"));
    });

    test("opens while the server is down, and works when it comes", async (log, harness) => {
      await log.publish("flights", "1", bytes("before"), noAbort);
      await harness.stop();
      await using waiting = await harness.open();
      const stop = new AbortController();
      const reading = readTo(waiting.subscribe("flights", 0, stop.signal), "after");
      await harness.start();
      await log.publish("flights", "2", bytes("after"), noAbort);
      expect(textsOf(await reading)).toEqual(["before", "after"]);
      stop.abort(new Error("read enough"));
    });

    test("closes while the server is down", async (_log, harness) => {
      const closing = await harness.open();
      const subscription = closing.subscribe("flights", 0, noAbort)[Symbol.asyncIterator]();
      const ended = subscription.next().catch(() => "ended");
      await harness.stop();
      const refused = closing.publish("flights", "1", bytes("never"), noAbort).catch(() => "refused");
      await closing[Symbol.asyncDispose]();
      expect([await ended, await refused]).toEqual(["ended", "refused"]);
    });
  });
}
