/** What a program can do wrong to its host: loop, wait, leave, take all memory. Only the guilty call fails. */
import { expect } from "vitest";
import { ProgramLoadError } from "../function-host.ts";
import {
  handlerOf,
  type HostReasons,
  type HostTest,
  programOf,
  run,
  short,
} from "./function-host.helpers.ts";
import { noAbort, rejection } from "./harness.ts";

export function misbehaviourTests(test: HostTest, reasons: HostReasons): void {
  const innocent = { n: 1 };
  const bad: readonly (readonly [what: string, body: string, reason: string, timeoutMs?: number])[] = [
    ["loops for ever", "for (;;) {}", "TIMEOUT", 100],
    [
      "loops for ever after a pause",
      "await null; await new Promise((go) => setTimeout(go, 5)); for (;;) {}",
      "TIMEOUT",
      100,
    ],
    ["waits for ever", "await new Promise(() => {})", "TIMEOUT", 100],
    ["leaves the process", "process.exit(0)", "HANDLER_THREW"],
    ["ends its thread", "process.reallyExit(3)", reasons.ended],
    [
      "takes all memory",
      "const all = []; for (;;) all.push(new Array(1e5).fill({}))",
      reasons.outOfMemory,
      20_000,
    ],
    [
      "throws from a timer",
      "await new Promise(() => setTimeout(() => { throw new Error('late') }, 1))",
      "HANDLER_THREW",
    ],
    ["lets a stack overflow", "const f = () => f() + 1; f()", "HANDLER_THREW"],
  ];
  for (const [what, body, reason, timeoutMs] of bad) {
    test(`fails only the call that ${what}`, async (host) => {
      const program = handlerOf(`if (event.bad) { ${body} } return { n: event.n }`, timeoutMs);
      const outcomes = await run(host, program, [innocent, innocent, { bad: true }, innocent, innocent]);
      expect(outcomes.map(short)).toEqual([[innocent], [innocent], reason, [innocent], [innocent]]);
      expect(outcomes[2]).toMatchObject({ retryable: true });
      // And goes on as before.
      expect((await run(host, program, [innocent])).map(short)).toEqual([[innocent]]);
    });
  }

  test("goes on when a rejection is left unhandled", async (host) => {
    const program = handlerOf("void Promise.reject(new Error('left behind')); return event.n");
    expect((await run(host, program, [innocent, innocent])).map(short)).toEqual([[1], [1]]);
    expect((await run(host, program, [innocent])).map(short)).toEqual([[1]]);
  });

  test("tells a call that its time is up", async (host) => {
    const program = handlerOf(
      `if (event.n === 2) return globalThis.told;
       await new Promise((_, reject) => context.signal.addEventListener("abort", () => { globalThis.told = context.signal.reason.name; reject(context.signal.reason) }))`,
      50,
    );
    expect((await run(host, program, [{ n: 1 }])).map(short)).toEqual(["TIMEOUT"]);
    expect((await run(host, program, [{ n: 2 }])).map(short)).toEqual([["TimeoutError"]]);
  });

  test("answers others while one program blocks its thread", async (host) => {
    const blocking = handlerOf("for (;;) {}", 1_500);
    const others = [handlerOf("return 1"), programOf({ select: { v: "1" } })];
    await Promise.all([blocking, ...others].map((program) => host.load(program, noAbort)));
    let blocked = true;
    const blockedCall = run(host, blocking, [{}]).finally(() => (blocked = false));
    const answers = await Promise.all(others.map((program) => run(host, program, [{}])));
    expect(blocked).toBe(true);
    expect(answers.flat().map(short)).toEqual([[1], [{ v: 1 }]]);
    expect((await blockedCall).map(short)).toEqual(["TIMEOUT"]);
  });

  test("refuses a program that does not end loading, or kills its thread", async (host) => {
    const never = programOf({ handler: "for (;;) {} export function handle() {}" });
    const dies = programOf({ handler: "process.reallyExit(1); export function handle() {}" });
    const refused = [never, dies].map((program) => rejection(host.load(program, noAbort), ProgramLoadError));
    expect((await Promise.all(refused)).map((error) => error.reason)).toEqual([
      reasons.loadTimeout,
      reasons.ended,
    ]);
    expect((await run(host, handlerOf("return 1"), [{}])).map(short)).toEqual([[1]]);
  });

  test("expressions that take too many steps fail, and only they", async (host) => {
    const list = Array.from({ length: 1_000 }, (_, n) => n);
    const deep = "event.list.all(a, event.list.all(b, event.list.all(c, a + b + c >= 0.0)))";
    const outcomes = await run(host, programOf({ where: deep, schemas: { from: {}, tables: {} } }), [
      { list: [1] },
      { list },
      { list: [2] },
    ]);
    expect(outcomes.map(short)).toEqual([[{ list: [1] }], "TOO_MANY_STEPS", [{ list: [2] }]]);
  });
}
