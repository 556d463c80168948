/**
 * What every `ControlLog` must do (control-log.ts). It may lose, repeat and reorder, so the suite asks for no more
 * than: what was published comes, by and by; a repeated id within the window is one message; positions resume, and one
 * of a log that is gone makes nobody deaf.
 */
import { describe, expect } from "vitest";
import { CONTROL_LOG_PAYLOAD_MAX, type ControlLog, type LogMessage } from "../control-log.ts";
import { StoreLimitError, StoreUnavailableError } from "../cp-store.ts";
import { faultTests, type Probe } from "./faults.contract.ts";
import { bytes, noAbort, rejection, type Setup, tester, text } from "./harness.ts";

/** Reads until `count` different payloads have come. */
async function receive(log: ControlLog, model: string, count: number, after = 0): Promise<LogMessage[]> {
  const stop = new AbortController();
  const seen = new Map<string, LogMessage>();
  if (count === 0) return [];
  for await (const message of log.subscribe(model, after, stop.signal)) {
    seen.set(text(message.payload), message);
    if (seen.size === count) break;
  }
  stop.abort(new Error("read enough"));
  return [...seen.values()];
}

const texts = (messages: readonly LogMessage[]): string[] =>
  messages.map((message) => text(message.payload)).toSorted();

/** One message; whether it is there is seen by one published behind it. */
const probe: Probe<ControlLog> = {
  write: (log, turn, signal) => log.publish(`m${turn}`, `id-${turn}`, bytes("command"), signal),
  async written(log, turn) {
    await log.publish(`m${turn}`, `end-${turn}`, bytes("end"), noAbort);
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const message of log.subscribe(`m${turn}`, 0, stop.signal)) {
      seen.push(text(message.payload));
      if (seen.at(-1) === "end") break;
    }
    stop.abort(new Error("read enough"));
    return seen.includes("command");
  },
};

export function controlLogContract(name: string, setup: Setup<ControlLog>): void {
  describe(`${name} keeps the contract of ControlLog`, () => {
    describe("messages", () => messageTests(setup));
    describe("faults", () => faultTests(setup, probe));
  });
}

function messageTests(setup: Setup<ControlLog>): void {
  const test = tester(setup);

  test("delivers what was published to one model, from the oldest on, to every subscriber", async (log, harness) => {
    await using other = await harness.open();
    for (const id of ["1", "2", "3"]) await log.publish("flights", id, bytes(`flights ${id}`), noAbort);
    await log.publish("other", "1", bytes("other 1"), noAbort);
    expect(texts(await receive(log, "flights", 3))).toEqual(["flights 1", "flights 2", "flights 3"]);
    expect(texts(await receive(other, "flights", 3))).toEqual(["flights 1", "flights 2", "flights 3"]);
    expect(texts(await receive(other, "other", 1))).toEqual(["other 1"]);
  });

  test("delivers what comes while it waits, from any handle", async (log, harness) => {
    await using other = await harness.open();
    const received = receive(log, "flights", 6);
    for (let turn = 0; turn < 6; turn++)
      await (turn % 2 === 0 ? log : other).publish("flights", `id-${turn}`, bytes(String(turn)), noAbort);
    expect(texts(await received)).toEqual(["0", "1", "2", "3", "4", "5"]);
  });

  test("goes on behind a position, with nothing left out", async (log) => {
    for (let turn = 0; turn < 40; turn++)
      await log.publish("flights", `id-${turn}`, bytes(`${turn}`.padStart(2, "0")), noAbort);
    const some = await receive(log, "flights", 15);
    const position = Math.max(...some.map((message) => message.position));
    const rest = await receive(log, "flights", 40 - 15, position);
    expect(rest.every((message) => message.position > position)).toBe(true);
    expect(new Set([...texts(some), ...texts(rest)]).size).toBe(40);
  });

  test("is read from the oldest by who comes with a position above all that there is: it is another log's", async (log) => {
    await log.publish("flights", "1", bytes("1"), noAbort);
    const [{ position } = { position: 0 }] = await receive(log, "flights", 1);
    // As in a journal that outlived the log which it was written beside.
    const rest = await receive(log, "flights", 1, position + 1_000_000);
    expect(texts(rest)).toEqual(["1"]);
    const waiting = log.subscribe("flights", position + 1_000_000, noAbort)[Symbol.asyncIterator]();
    expect(text(((await waiting.next()).value as LogMessage).payload)).toBe("1");
    await log.publish("flights", "2", bytes("2"), noAbort);
    expect(text(((await waiting.next()).value as LogMessage).payload)).toBe("2");
    await waiting.return?.();
  });

  test("takes an id once within its window, in one model", async (log, harness) => {
    await using other = await harness.open();
    await log.publish("flights", "same", bytes("first"), noAbort);
    await other.publish("flights", "same", bytes("repeat"), noAbort);
    await log.publish("other", "same", bytes("elsewhere"), noAbort);
    await log.publish("flights", "end", bytes("end"), noAbort);
    expect(texts(await receive(log, "flights", 2))).toEqual(["end", "first"]);
    expect(texts(await receive(log, "other", 1))).toEqual(["elsewhere"]);
  });

  test("I15: takes a message of the greatest size, and refuses a larger one with nothing published", async (log) => {
    const largest = new Uint8Array(CONTROL_LOG_PAYLOAD_MAX).fill(65);
    await rejection(
      log.publish("flights", "1", new Uint8Array(CONTROL_LOG_PAYLOAD_MAX + 1), noAbort),
      StoreLimitError,
    );
    await log.publish("flights", "2", largest, noAbort);
    const [message] = await receive(log, "flights", 1);
    expect(message?.payload).toEqual(largest);
  });

  test("ends with the signal's reason, waiting or not", async (log) => {
    const reason = new Error("given up");
    const stop = new AbortController();
    const waiting = log.subscribe("flights", 0, stop.signal)[Symbol.asyncIterator]();
    const next = waiting.next();
    const idle = log.subscribe("flights", 0, stop.signal)[Symbol.asyncIterator]();
    stop.abort(reason);
    await expect(next).rejects.toBe(reason);
    await expect(idle.next()).rejects.toBe(reason);
  });

  test("ends when the log is closed", async (_log, harness) => {
    const closing = await harness.open();
    const subscription = closing.subscribe("flights", 0, noAbort)[Symbol.asyncIterator]();
    const told = rejection(subscription.next(), StoreUnavailableError);
    await closing[Symbol.asyncDispose]();
    await told;
  });

  test("lets a slow subscriber be slow alone", async (log) => {
    const slow = log.subscribe("flights", 0, noAbort)[Symbol.asyncIterator]();
    const first = slow.next();
    for (let turn = 0; turn < 100; turn++)
      await log.publish("flights", `id-${turn}`, bytes(String(turn)), noAbort);
    expect((await receive(log, "flights", 100)).length).toBe(100);
    const seen = new Set([text(((await first).value as LogMessage).payload)]);
    while (seen.size < 100) seen.add(text(((await slow.next()).value as LogMessage).payload));
    await slow.return?.();
  });
}
