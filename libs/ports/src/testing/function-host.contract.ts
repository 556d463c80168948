/**
 * What every `FunctionHost` must do (function-host.ts). Everything that a program can do wrong is here, because one
 * bad message must never cost its lane.
 */
import { describe, expect, it } from "vitest";
import { type FunctionHost, type Program, ProgramLoadError } from "../function-host.ts";
import { misbehaviourTests } from "./function-host-misbehaviour.contract.ts";
import {
  bands,
  handlerOf,
  type HostReasons,
  type HostTest,
  invocationOf,
  programOf,
  run,
  short,
  WORKER_REASONS,
} from "./function-host.helpers.ts";
import { bytes, noAbort, rejection, text } from "./harness.ts";

export type FunctionHostSetup = () => Promise<FunctionHost> | FunctionHost;

export function functionHostContract(
  name: string,
  setup: FunctionHostSetup,
  reasons: HostReasons = WORKER_REASONS,
): void {
  const test: HostTest = (title, body) => {
    it(title, { timeout: 60_000 }, async () => {
      await using host = await setup();
      await body(host);
    });
  };
  describe(`${name} keeps the contract of FunctionHost`, () => {
    describe("loading", () => loadTests(test));
    describe("expressions", () => expressionTests(test));
    describe("handlers", () => handlerTests(test));
    describe("programs that misbehave", () => misbehaviourTests(test, reasons));
    describe("life", () => lifeTests(test));
  });
}

function loadTests(test: HostTest): void {
  test("loads a program once, however often and at once it is asked", async (host) => {
    const program = programOf({ where: "event.delay > 1" });
    await Promise.all([host.load(program, noAbort), host.load(program, noAbort)]);
    await host.load(program, noAbort);
    expect((await run(host, program, [{ delay: 2 }])).map(short)).toEqual([[{ delay: 2 }]]);
  });

  test("refuses what cannot run, and says where and why", async (host) => {
    const cases: readonly (readonly [program: Program, place: string, message: RegExp])[] = [
      [programOf({ where: "event.dely > 1" }), "where", /no field "dely".*delay/],
      [programOf({ select: { pay: "1 +" } }), "select.pay", /too early/],
      [programOf({ where: "event.delay" }), "where", /must be bool/],
      [programOf({ handler: "export function handle( {" }), "handler", /SyntaxError/],
      [
        programOf({ handler: "export function handel() {}" }),
        "handler",
        /exports no function "handle".*handel/,
      ],
      [programOf({ handler: "throw new Error('at its top')" }), "handler", /at its top/],
      [
        programOf({ handler: "import 'no-such-package'; export function handle() {}" }),
        "handler",
        /does not load/,
      ],
      [{ ...programOf({ where: "true" }, [bands]), tables: {} }, "tables.bands", /lacks the table/],
      [{ ...programOf({}), query: "{" }, "", /no JSON/],
    ];
    for (const [program, place, message] of cases) {
      const error = await rejection(host.load(program, noAbort), ProgramLoadError);
      expect(error).toMatchObject({ place });
      expect(error.message).toMatch(message);
    }
    // And is as good as before.
    expect((await run(host, programOf({}), [{ n: 1 }])).map(short)).toEqual([[{ n: 1 }]]);
  });

  test("runs only what is loaded", async (host) => {
    const program = programOf({});
    await expect(host.invoke(program.id, [invocationOf({})], noAbort)).rejects.toThrow(/not loaded/);
    await host.load(program, noAbort);
    expect(await host.invoke(program.id, [invocationOf({})], noAbort)).toHaveLength(1);
    host.unload(program.id);
    host.unload(program.id);
    await expect(host.invoke(program.id, [invocationOf({})], noAbort)).rejects.toThrow(/not loaded/);
    await host.load(program, noAbort);
    expect(await host.invoke(program.id, [invocationOf({})], noAbort)).toHaveLength(1);
  });

  test("answers what was asked before a program was unloaded", async (host) => {
    const program = programOf({ select: { n: "event.n" } });
    await host.load(program, noAbort);
    const events = Array.from({ length: 3_000 }, (_, n) => invocationOf({ n }, n));
    const answers = host.invoke(program.id, events, noAbort);
    host.unload(program.id);
    expect((await answers).map(short)).toEqual(events.map((_, n) => [{ n }]));
  });
}

function expressionTests(test: HostTest): void {
  test("filters, selects, looks up tables; keeps order and keys", async (host) => {
    const program = programOf(
      {
        where: "event.delay >= 120",
        select: { pay: "tables.bands[event.band].pay * 2", n: "event.n", at: "null" },
      },
      [bands],
    );
    const events = [
      { delay: 130, band: "short", n: 1 },
      { delay: 5, band: "short", n: 2 },
      { delay: 120, band: "constructor", n: 3 },
    ];
    const outcomes = await run(host, program, events);
    expect(outcomes.map(short)).toEqual([[{ pay: 500, n: 1, at: null }], [], [{ pay: 2, n: 3, at: null }]]);
    expect(outcomes[2]).toMatchObject({ outputs: [{ key: "key-3" }] });
  });

  test("passes on what it does not change, byte for byte", async (host) => {
    const event = '{ "delay": 1.0, "n": 12345678901234567890, "x": "\\u00fc" }';
    for (const program of [programOf({}), programOf({ where: "event.delay == 1" })]) {
      const [outcome] = await run(host, program, [event]);
      expect(outcome?.type === "outputs" && text(outcome.outputs[0]?.payload ?? bytes(""))).toBe(event);
    }
  });

  test("fails a message that it cannot evaluate, and only that one, for good", async (host) => {
    const program = programOf({ select: { d: "event.delay + 1" } });
    const events = [{ delay: 1 }, {}, { delay: "x" }, "{", '{"__proto__":1}', "\u00ff", { delay: 2 }];
    const outcomes = await run(host, program, events);
    expect(outcomes.map(short)).toEqual([
      [{ d: 2 }],
      "NO_SUCH_FIELD",
      "TYPE_MISMATCH",
      "BAD_PAYLOAD",
      "BAD_PAYLOAD",
      "BAD_PAYLOAD",
      [{ d: 3 }],
    ]);
    expect(outcomes[1]).toMatchObject({
      retryable: false,
      message: expect.stringMatching(/select\.d: .*delay/) as string,
    });
  });

  test("gives each its answer, however many there are of how many programs at once", async (host) => {
    const many = [1, 2, 3, 4, 5].map((factor) => programOf({ select: { v: `event.n * ${factor}` } }));
    await Promise.all(many.map((program) => host.load(program, noAbort)));
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, call) => {
        const program = many[call % many.length] as Program;
        const events = Array.from({ length: call % 50 }, (__, n) =>
          invocationOf({ n, pad: "ü".repeat(call) }, n),
        );
        return (await host.invoke(program.id, events, noAbort)).map(short);
      }),
    );
    for (const [call, answer] of answers.entries()) {
      const factor = (call % many.length) + 1;
      expect(answer).toEqual(Array.from({ length: call % 50 }, (_, n) => [{ v: n * factor }]));
    }
  });

  test("takes large messages", async (host) => {
    const program = programOf({
      select: { s: "size(event.text)", text: "event.text" },
      schemas: { from: {}, tables: {} },
    });
    const texts = [10, 2_000_000, 1_000_000, 3].map((length) => "ü".repeat(length / 2));
    const outcomes = await run(
      host,
      program,
      texts.map((each) => ({ text: each })),
    );
    expect(outcomes.map(short)).toEqual(texts.map((each) => [{ s: each.length, text: each }]));
  });
}

function handlerTests(test: HostTest): void {
  test("gives a handler the event and its context, which it cannot change", async (host) => {
    const handler = `export function handle(event, context) {
      const { signal, ...rest } = context;
      for (const change of [() => { context.seq = 9 }, () => { context.tables.bands.short.pay = 9 }, () => { context.tables.bands.x = 9 }]) {
        try { change(); return "changed" } catch {}
      }
      return { event, ...rest, aborted: signal.aborted };
    }`;
    const outcomes = await run(host, programOf({ handler }, [bands]), [{ n: 1 }]);
    expect(outcomes.map(short)).toEqual([
      [
        {
          event: { n: 1 },
          lane: "lane-1",
          seq: 1,
          epoch: 7,
          key: "key-1",
          idempotencyKey: "lane-1/1",
          tables: { bands: { short: { id: "short", pay: 250 }, constructor: { id: "constructor", pay: 1 } } },
          aborted: false,
        },
      ],
    ]);
  });

  test("takes nothing, one value, or several as outputs, now or later", async (host) => {
    const program = handlerOf(`
      if (event.n === 1) return;
      if (event.n === 2) return { a: 1 };
      if (event.n === 3) return [{ a: 1 }, "b", 3, [4]];
      if (event.n === 4) return [];
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { later: true };`);
    const outcomes = await run(
      host,
      program,
      [1, 2, 3, 4, 5].map((n) => ({ n })),
    );
    expect(outcomes.map(short)).toEqual([[], [{ a: 1 }], [{ a: 1 }, "b", 3, [4]], [], [{ later: true }]]);
    expect(outcomes[2]).toMatchObject({
      outputs: [{ key: "key-3" }, { key: "key-3" }, { key: "key-3" }, { key: "key-3" }],
    });
  });

  test("fails a call that throws, which may be tried again", async (host) => {
    const program = handlerOf(`
      if (event.n === 1) throw new Error("no such airport");
      if (event.n === 2) await Promise.reject("just a text");
      if (event.n === 3) null.x;
      return event.n;`);
    const outcomes = await run(
      host,
      program,
      [1, 2, 3, 4].map((n) => ({ n })),
    );
    expect(outcomes.map(short)).toEqual(["HANDLER_THREW", "HANDLER_THREW", "HANDLER_THREW", [4]]);
    expect(outcomes[0]).toMatchObject({
      retryable: true,
      message: expect.stringContaining("no such airport") as string,
    });
  });

  test("fails a result that is no JSON, and says where", async (host) => {
    const results = [
      "null",
      "() => 1",
      "{ a: { b: NaN } }",
      "[undefined]",
      "{ a: 1n }",
      "new Map()",
      "(() => { const a = {}; a.a = a; return a })()",
      "JSON.parse('{\"__proto__\":1}')",
      "Array(1001).fill(1)",
      "'x'.repeat(2_000_000)",
      "Symbol()",
      "({ toJSON() { return Infinity } })",
    ];
    const outcomes = await run(
      host,
      programOf({
        handler: `const results = [${results.map((each) => `() => (${each})`).join(",")}];
      export const handle = (event) => results[event.n]()`,
      }),
      results.map((_, n) => ({ n })),
    );
    expect(outcomes.map(short)).toEqual(results.map(() => "BAD_RESULT"));
    expect(outcomes[2]).toMatchObject({
      retryable: false,
      message: expect.stringContaining("result.a.b is NaN") as string,
    });
  });

  test("makes JSON of dates and leaves undefined fields out, as JSON does", async (host) => {
    const outcomes = await run(host, handlerOf("return { at: new Date(0), not: undefined }"), [{}]);
    expect(outcomes.map(short)).toEqual([[{ at: "1970-01-01T00:00:00.000Z" }]]);
  });

  test("keeps the state of two programs apart, though their source is the same", async (host) => {
    const source = { handler: "let calls = 0; export function handle() { return calls += 1 }" };
    const first = await run(host, programOf(source), [{}, {}]);
    const second = await run(host, programOf(source), [{}]);
    expect([...first, ...second].map(short)).toEqual([[1], [2], [1]]);
  });
}

function lifeTests(test: HostTest): void {
  test("gives a call up when its signal aborts, and goes on", async (host) => {
    const program = handlerOf(
      "await new Promise((resolve) => setTimeout(resolve, event.ms)); return 1",
      30_000,
    );
    await host.load(program, noAbort);
    const stop = new AbortController();
    const calls = Array.from({ length: 100 }, () => invocationOf({ ms: 30_000 }));
    const given = host.invoke(program.id, calls, stop.signal);
    stop.abort(new Error("not needed"));
    await expect(given).rejects.toThrow("not needed");
    await expect(host.invoke(program.id, calls, stop.signal)).rejects.toThrow("not needed");
    await expect(host.load(programOf({}), stop.signal)).rejects.toThrow("not needed");
    expect((await run(host, program, [{ ms: 0 }])).map(short)).toEqual([[1]]);
  });

  test("changes from one program to the next without a pause", async (host) => {
    const versions = [1, 2, 3, 4].map((version) => programOf({ select: { version: `${version}` } }));
    await host.load(versions[0] as Program, noAbort);
    for (const [index, program] of versions.entries()) {
      const calls = Array.from({ length: 20 }, () => host.invoke(program.id, [invocationOf({})], noAbort));
      const next = versions[index + 1];
      if (next !== undefined) await host.load(next, noAbort);
      const answers = (await Promise.all(calls)).flat();
      expect(answers.map(short)).toEqual(calls.map(() => [{ version: index + 1 }]));
      host.unload(program.id);
    }
  });

  test("ends at once when it is disposed, twice too, and gives up what runs", async (host) => {
    const program = handlerOf("for (;;) {}", 30_000);
    await host.load(program, noAbort);
    const lost = expect(host.invoke(program.id, [invocationOf({})], noAbort)).rejects.toThrow(/closed/);
    await Promise.all([host[Symbol.asyncDispose](), host[Symbol.asyncDispose]()]);
    await lost;
    await expect(host.load(programOf({}), noAbort)).rejects.toThrow(/closed/);
  });
}
