import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, FunctionHost, Invocation, Log, Program } from "@greco/ports";
import { functionHostContract } from "@greco/ports/testing";
import { describe, expect, it } from "vitest";
import { createWorkerFunctionHost } from "./host.ts";
import type { WorkerHostLimits } from "./limits.ts";

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

function logTo(lines: string[]): Log {
  const line = (event: string, fields?: object): void =>
    void lines.push(`${event} ${JSON.stringify(fields ?? {})}`);
  return { debug: line, info: line, warn: line, error: line, child: () => logTo(lines) };
}

function createHost(limits: Partial<WorkerHostLimits> = {}, lines: string[] = []): FunctionHost {
  const small = { heapMb: 48, loadTimeoutMs: 2_000, ...limits };
  return createWorkerFunctionHost({ threads: 2, clock, log: logTo(lines), limits: small });
}

functionHostContract("the worker host", () => createHost());

const noAbort = new AbortController().signal;

function programOf(id: string, query: object): Program {
  const content = { name: id, tables: [], timeoutMs: 5_000, schemas: { from: {}, tables: {} }, ...query };
  return { id, query: JSON.stringify(content), tables: {} };
}

function invocationsOf(events: readonly unknown[]): readonly Invocation[] {
  return events.map((event, seq) => ({
    payload: Buffer.from(JSON.stringify(event)),
    key: "",
    idempotencyKey: `${seq}`,
    context: { lane: "lane", seq, epoch: 1 },
  }));
}

async function run(
  host: FunctionHost,
  program: Program,
  events: readonly unknown[],
): Promise<readonly string[]> {
  await host.load(program, noAbort);
  const outcomes = await host.invoke(program.id, invocationsOf(events), noAbort);
  return outcomes.map((outcome) =>
    outcome.type === "failed" ? outcome.reason : Buffer.from(outcome.outputs[0]?.payload ?? []).toString(),
  );
}

describe("the worker host", () => {
  it(
    "ends an expression at its limit, and does the rest of its batch again",
    { timeout: 60_000 },
    async () => {
      await using host = createHost();
      const slow = programOf("slow", {
        where: "size(event.list) == 0 || event.list.exists(n, event.text.contains('b' + string(n)))",
        select: { n: "event.n" },
        timeoutMs: 100,
      });
      const list = Array.from({ length: 50_000 }, (_, n) => n);
      const events: unknown[] = Array.from({ length: 40 }, (_, n) => ({ n, list: [], text: "" }));
      events[20] = { n: 20, list, text: "a".repeat(1_000_000) };
      const answers = await run(host, slow, events);
      expect(answers).toEqual(events.map((_, n) => (n === 20 ? "TIMEOUT" : `{"n":${n}}`)));
    },
  );

  it("finds the guilty call among programs that share a thread", { timeout: 60_000 }, async () => {
    await using host = createHost({ handlerThreads: 1 });
    // It blocks the thread when it goes on after a pause: then nobody can see which call it was.
    const body = "await new Promise((go) => setTimeout(go, 2)); if (event.bad) for (;;) {} return event.n";
    const programs = ["one", "two", "three"].map((id) =>
      programOf(id, { handler: `export async function handle(event) { ${body} }`, timeoutMs: 150 }),
    );
    const answers = await Promise.all(
      programs.map((program, index) => run(host, program, [{ n: 1 }, { n: 2, bad: index === 1 }, { n: 3 }])),
    );
    expect(answers).toEqual([
      ["1", "2", "3"],
      ["1", "TIMEOUT", "3"],
      ["1", "2", "3"],
    ]);
  });

  it("loads a program again when it is needed, if its thread could not", { timeout: 60_000 }, async () => {
    await using host = createHost();
    // It loads once a process: the second time it finds what the first left behind, until that is taken away.
    const mark = `GRECO_TEST_${process.pid}`;
    const source = `
      import fs from "node:fs"; import os from "node:os";
      const mark = os.tmpdir() + "/${mark}";
      if (fs.existsSync(mark)) throw new Error("a second time");
      fs.writeFileSync(mark, "");
      export function handle(event) {
        if (event.clear) fs.rmSync(mark);
        if (event.die) process.reallyExit(1);
        return "ok";
      }`;
    const program = programOf("again", { handler: source });
    expect(await run(host, program, [{}])).toEqual(['"ok"']);
    expect(await run(host, program, [{ die: true }])).toEqual(["WORKER_ENDED"]);
    expect(await run(host, program, [{}])).toEqual(["BAD_HANDLER"]);
    const other = programOf("other", {
      handler: `import fs from "node:fs"; import os from "node:os";
        export function handle() { fs.rmSync(os.tmpdir() + "/${mark}"); return "cleared" }`,
    });
    expect(await run(host, other, [{}])).toEqual(['"cleared"']);
    expect(await run(host, program, [{}, { clear: true }])).toEqual(['"ok"', '"ok"']);
  });

  it("logs what handlers print and what they leave behind", { timeout: 60_000 }, async () => {
    const lines: string[] = [];
    await using host = createHost({}, lines);
    const handler = `export function handle() {
      console.log("hello"); void Promise.reject(new Error("left behind")); return "ok" }`;
    expect(await run(host, programOf("prints", { handler }), [{}])).toEqual(['"ok"']);
    await expect.poll(() => lines.join("\n")).toContain("hello");
    await expect.poll(() => lines.join("\n")).toContain("left behind");
  });

  it("hides the process's environment from handlers", { timeout: 60_000 }, async () => {
    await using host = createHost();
    const handler = "export function handle() { return Object.keys(process.env).length }";
    expect(await run(host, programOf("env", { handler }), [{}])).toEqual(["0"]);
  });

  it("answers an invocation that comes before its program is loaded", { timeout: 60_000 }, async () => {
    await using host = createHost();
    const good = programOf("good", { select: { n: "event.n" } });
    const bad = programOf("bad", { select: { n: "event." } });
    const loads = Promise.allSettled([host.load(good, noAbort), host.load(bad, noAbort)]);
    const early = await Promise.allSettled([
      host.invoke("good", invocationsOf([{ n: 1 }]), noAbort),
      host.invoke("bad", invocationsOf([{ n: 1 }]), noAbort),
    ]);
    expect(early.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect((await loads).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });
});
