import type { DeadLetterOrder } from "@greco/ports";
import { DEAD_LETTERS_STREAM, epoch } from "@greco/domain/model";
import { seq } from "@greco/domain/lane";
import { describe, expect, it } from "vitest";
import {
  data,
  duty,
  INPUT,
  ledgerEntry,
  ledgerOf,
  marker,
  outsideDuty,
  Q,
  S,
  T,
  U,
} from "./testing/model.ts";
import { failed, outputs, unitBench } from "./testing/unit-bench.ts";

const order = (at: number): DeadLetterOrder => ({
  query: Q,
  lane: INPUT,
  seq: seq(at),
  actor: "ann",
  reason: "poison",
});
const letters = (lane: string): unknown[] =>
  lane
    .split(" {")
    .slice(1)
    .map((text) => JSON.parse(`{${text}`) as unknown);

describe("calls", () => {
  it("I6: calls each message with the program of its own epoch, the old one to its end first", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("old"));
    bench.learn(2, duty("new"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1), marker(4, 2), data(5, 2));
    expect(bench.calls()).toEqual(["old(m2 m3)"]);
    bench.answer();
    expect(bench.calls()).toEqual(["new(m5)"]);
    bench.answer();
    expect(bench.lane("output")).toBe("<1> old:m2 old:m3 <2> new:m5");
  });

  it("does not stop at an epoch that leaves its program as it is", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("same"));
    bench.learn(2, duty("same"));
    bench.take(marker(1, 1), data(2, 1), marker(3, 2), data(4, 2));
    bench.take(data(5, 2));
    expect(bench.calls()).toEqual(["same(m2 m4)", "same(m5)"]);
    bench.answer(1);
    expect(bench.lane("output")).toBe("<1>");
    bench.answer();
    expect(bench.lane("output")).toBe("<1> same:m2 <2> same:m4 same:m5");
  });

  it("waits for retries of the old program too", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("old", T, { onError: { retries: 1, then: "dead-letter" } }));
    bench.learn(2, duty("new"));
    bench.take(marker(1, 1), data(2, 1), marker(3, 2), data(4, 2));
    bench.answer(0, () => failed("BUSY", true));
    expect(bench.calls()).toEqual([]);
    bench.machine.window.again(bench.retries);
    bench.run();
    expect(bench.calls()).toEqual(["old(m2)"]);
    bench.answer();
    expect(bench.calls()).toEqual(["new(m4)"]);
  });

  it("I12: holds at a marker whose duty is not known: no call behind it, no marker forwarded", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("old"));
    bench.take(marker(1, 1), data(2, 1), marker(3, 2), data(4, 2));
    bench.answerAll();
    expect(bench.lane("output")).toBe("<1> old:m2");
    expect(bench.machine.window.wanted).toBe(2);
    bench.learn(2, duty("new"));
    bench.answerAll();
    expect(bench.lane("output")).toBe("<1> old:m2 <2> new:m4");
  });

  it("makes the same call again when the host failed", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1));
    bench.fail();
    expect(bench.calls()).toEqual(["p(m2 m3)"]);
    bench.answerAll();
    expect(bench.lane("output")).toBe("<1> p:m2 p:m3");
  });

  it("bounds calls by entries, bytes and number", () => {
    const bench = unitBench(ledgerOf([S, T]), { limits: { callEntries: 3, callBytes: 5, unitCalls: 2 } });
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1), data(4, 1), data(5, 1), data(6, 1));
    expect(bench.calls()).toEqual(["p(m2 m3)", "p(m4 m5)"]);
    bench.answer();
    expect(bench.calls()).toEqual(["p(m4 m5)", "p(m6)"]);
  });
});

describe("lanes and markers", () => {
  it("I8: appends in input order, one append for each input", () => {
    const bench = unitBench(ledgerOf([S, T]), { limits: { callEntries: 1 } });
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1), data(4, 1));
    bench.answer(2);
    bench.answer(1, (text) => outputs(`${text}.0`, `${text}.1`));
    expect(bench.lane("output")).toBe("<1>");
    bench.answer();
    expect(bench.lane("output")).toBe("<1> p:m2 m3.0+m3.1 p:m4");
  });

  it("R4: a marker that the writer inserts waits for every lower one that is still to be forwarded", () => {
    const index = ledgerOf([S, T], [S, T], [T]);
    const bench = unitBench(index);
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1));
    bench.answerAll();
    // Epoch 3 changes only what is below, but 2 comes through the input first.
    bench.machine.grow();
    bench.run();
    expect(bench.lane("output")).toBe("<1> p:m2");
    bench.learn(2, duty("p2"));
    bench.take(marker(3, 2), data(4, 2));
    bench.answerAll();
    expect(bench.lane("output")).toBe("<1> p:m2 <2> [3] p2:m4");
  });

  it("inserts the marker of an epoch that changes only what is below as soon as the ledger shows it", () => {
    const index = ledgerOf([S, T]);
    const bench = unitBench(index);
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1));
    index.add(ledgerEntry(2, [T]));
    bench.machine.grow();
    bench.run();
    bench.answerAll();
    expect(bench.lane("output")).toBe("<1> [2] p:m2");
  });

  it("I7: skips an epoch that is not above the lane's", () => {
    // The lane opens at 2, because its predecessor had got there by insertion.
    const bench = unitBench(ledgerOf([S, T], [T], [S, T]), { start: [5, 1] });
    bench.holdOpens(true);
    bench.machine.begin(duty("p"));
    bench.run();
    bench.machine.opened("output", epoch(2));
    bench.learn(1, duty("p"));
    bench.take(data(6, 1));
    bench.learn(3, duty("p"));
    bench.take(marker(7, 3));
    bench.answerAll();
    expect(bench.log).toEqual([`open output ${T} after 5@1`]);
    expect(bench.machine.issued.seq).toBe(7);
  });

  it("I8: rows of a later input wait for those of earlier ones in the other lane", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1), data(4, 1));
    bench.answer(0, (text) => (text === "m3" ? failed("BAD") : outputs(text)));
    expect(bench.lane("output")).toBe("<1> m2");
    // Not even opened: its first row names a position, too.
    expect(bench.lane("dead-letters")).toBe("");
    bench.acknowledge("output");
    expect(letters(bench.lane("dead-letters"))).toMatchObject([{ seq: 3, reason: "BAD", attempts: 1 }]);
    expect(bench.lane("output")).toBe("<1> m2");
    bench.acknowledge("dead-letters");
    expect(bench.lane("output")).toBe("<1> m2 m4");
    expect(bench.machine.done.seq).toBe(3);
    bench.acknowledge();
    expect(bench.machine.done.seq).toBe(4);
  });

  it("I8: a marker goes into both lanes, each after all rows of earlier inputs in the other", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("p"));
    bench.learn(2, duty("p"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1));
    bench.answer(0, (text) => (text === "m2" ? failed("BAD") : outputs(text)));
    bench.acknowledge();
    bench.take(marker(4, 2));
    expect(bench.lane("output")).toBe("<1> m3 <2>");
    expect(bench.lane("dead-letters")).not.toContain("<2>");
    bench.acknowledge("output");
    expect(bench.lane("dead-letters")).toContain("<2>");
    expect(bench.machine.done.seq).toBe(3);
    bench.acknowledge();
    expect(bench.machine.done).toEqual({ seq: 4, epoch: 2 });
  });

  it("waits for room in the lane and keeps the order", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("p"));
    bench.learn(2, duty("p"));
    bench.setRoom(false);
    bench.take(marker(1, 1), data(2, 1), marker(3, 2));
    bench.answerAll();
    expect(bench.lane("output")).toBe("<1>");
    bench.setRoom(true);
    expect(bench.lane("output")).toBe("<1> p:m2 <2>");
  });

  it("ends the old lane at the marker and opens one in the new stream when `to` changes", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T, U]));
    bench.learn(1, duty("p", T));
    bench.learn(2, duty("p2", U));
    bench.take(marker(1, 1), data(2, 1), marker(3, 2), data(4, 2));
    bench.answerAll();
    expect(bench.log).toEqual([
      `open output ${T} after 1@1`,
      "end output: <1> p:m2 <2>",
      `open output ${U} after 3@2`,
    ]);
    expect(bench.lane("output")).toBe("<2> p2:m4");
  });

  it("opens a new lane behind the old one when the stream's retention changes", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("p", T, { to: { stream: T } }));
    bench.learn(2, duty("p", T, { to: { stream: T, retentionMs: 5 } }));
    bench.take(marker(1, 1), marker(2, 2), data(3, 2));
    bench.answerAll();
    expect(bench.log.slice(1)).toEqual(["end output: <1> <2>", `open output ${T} after 2@2`]);
  });
});

describe("beginning and end", () => {
  it("begins a new query at its marker, and reads nothing before it", () => {
    const bench = unitBench(ledgerOf([S], [S, T]), { start: [3, 1] });
    bench.machine.begin("idle");
    bench.learn(1, "idle");
    bench.learn(2, duty("p"));
    bench.take(data(4, 1), marker(5, 2), data(6, 2));
    expect(bench.calls()).toEqual(["p(m6)"]);
    expect(bench.log).toEqual([`open output ${T} after 5@2`]);
  });

  it("opens its lane before the first input comes, when it takes up where another stopped", () => {
    const bench = unitBench(ledgerOf([S, T]), { start: [9, 1] });
    bench.machine.begin(duty("p"));
    bench.run();
    expect(bench.log).toEqual([`open output ${T} after 9@1`]);
  });

  it("ends a removed query at the marker of its removal, in all its lanes", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("p"));
    bench.learn(2, "over");
    bench.take(marker(1, 1), data(2, 1), data(3, 1), marker(4, 2), data(5, 2));
    bench.answer(0, (text) => (text === "m2" ? failed("BAD") : outputs(text)));
    for (let each = 0; each < 4; each++) bench.acknowledge();
    expect(bench.log.slice(-3)).toEqual([
      "end output: <1> m3 <2>",
      expect.stringMatching(/^end dead-letters: .* <2>$/),
      "done",
    ]);
    expect(bench.machine.done.seq).toBe(4);
  });

  it("is done when the input lane has ended and everything is durable", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1));
    bench.machine.inputEnded();
    bench.answerAll();
    expect(bench.log).toEqual([`open output ${T} after 1@1`, "end output: <1> p:m2", "done"]);
  });

  it("opens nothing where nothing is left to do", () => {
    const bench = unitBench(ledgerOf([S, T]), { start: [9, 1] });
    bench.machine.begin(duty("p"));
    bench.machine.inputEnded();
    bench.run();
    expect(bench.log).toEqual(["done"]);
  });

  it("stops behind what was decided, and says that it is not done", () => {
    const bench = unitBench(ledgerOf([S, T]), { limits: { callEntries: 1, unitCalls: 2 } });
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1), data(3, 1), data(4, 1));
    bench.machine.stop();
    bench.answer(1);
    expect(bench.log).toHaveLength(1);
    bench.answer();
    expect(bench.calls()).toEqual([]);
    expect(bench.log.slice(1)).toEqual(["end output: <1> p:m2 p:m3", "stopped"]);
  });
});

describe("dead letters", () => {
  it("retries as often as the query says, then gives the input up", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p", T, { onError: { retries: 1, then: "dead-letter" } }));
    bench.take(marker(1, 1), data(2, 1));
    bench.answer(0, () => failed("BUSY", true));
    bench.machine.window.again(bench.retries.splice(0));
    bench.run();
    bench.answer(0, () => failed("BUSY", true));
    expect(bench.retries).toEqual([]);
    expect(letters(bench.lane("dead-letters"))).toEqual([
      {
        query: Q,
        lane: INPUT,
        seq: 2,
        epoch: 1,
        reason: "BUSY",
        message: "BUSY",
        attempts: 2,
        payload: "m2",
      },
    ]);
  });

  it("skips and counts where the query says so", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p", T, { onError: { retries: 0, then: "skip" } }));
    bench.take(marker(1, 1), data(2, 1));
    bench.answer(0, () => failed("BAD"));
    expect(bench.lane("dead-letters")).toBe("");
    expect(bench.machine.done.seq).toBe(2);
  });

  it("gives up by hand what is being called, at once, and does not wait for its call", () => {
    const bench = unitBench(ledgerOf([S, T], [S, T]));
    bench.learn(1, duty("old"));
    bench.learn(2, duty("new"));
    bench.take(marker(1, 1), data(2, 1), marker(3, 2), data(4, 2));
    bench.machine.giveUp(order(2));
    bench.run();
    expect(bench.calls()).toEqual(["old(m2)", "new(m4)"]);
    expect(letters(bench.lane("dead-letters").replaceAll(/ <\d>/g, ""))).toMatchObject([
      { seq: 2, reason: "GIVEN_UP", message: "poison", by: "ann" },
    ]);
    // Its answer, when it comes after all, has no effect.
    bench.answer();
    expect(bench.lane("output")).not.toContain("old:m2");
  });

  it("gives up by hand what has yet to come by, without a call", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p"));
    bench.machine.giveUp(order(3));
    bench.take(marker(1, 1), data(2, 1), data(3, 1));
    expect(bench.calls()).toEqual(["p(m2)"]);
  });

  it("leaves an order alone for what is decided already", () => {
    const bench = unitBench(ledgerOf([S, T]));
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1));
    bench.answerAll();
    bench.machine.giveUp(order(2));
    bench.take(data(3, 1));
    expect(bench.lane("dead-letters")).toBe("");
  });

  it("gives up an input whose outputs are more than one append may hold", () => {
    const bench = unitBench(ledgerOf([S, T]), { limits: { outputEntries: 1 } });
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1));
    bench.answer(0, (text) => outputs(text, text));
    expect(letters(bench.lane("dead-letters"))).toMatchObject([{ reason: "OUTPUT_TOO_LARGE" }]);
  });

  it("is in the scope of every epoch", () => {
    const index = ledgerOf([S, T]);
    const bench = unitBench(index);
    bench.learn(1, duty("p"));
    bench.take(marker(1, 1), data(2, 1));
    bench.answer(0, () => failed("BAD"));
    expect(bench.log).toContain(`open dead-letters ${DEAD_LETTERS_STREAM} after 1@1`);
    index.add(ledgerEntry(2, []));
    bench.machine.grow();
    bench.run();
    expect(bench.lane("dead-letters")).toContain("[2]");
    expect(bench.lane("output")).toBe("<1>");
  });
});

describe("a query without derived lanes", () => {
  it("R7: records a crossing only when everything before the marker is durable", () => {
    const bench = unitBench(ledgerOf([S], [S]));
    bench.learn(1, outsideDuty("p"));
    bench.learn(2, outsideDuty("p2"));
    bench.take(marker(1, 1), data(2, 1), marker(3, 2), data(4, 2));
    expect(bench.log).toEqual(["cross 1 at 0"]);
    bench.answer(0, () => failed("BAD"));
    // Its dead letter is under way.
    expect(bench.log.slice(1)).toEqual([`open dead-letters ${DEAD_LETTERS_STREAM} after 1@1`]);
    bench.acknowledge();
    expect(bench.log.slice(2)).toEqual(["cross 2 at 2"]);
  });
});
