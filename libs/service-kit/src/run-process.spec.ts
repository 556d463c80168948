import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { ConfigError } from "./config.ts";
import { createLog } from "./log.ts";
import { runProcess, type ProcessHost } from "./run-process.ts";

function fakeProcess() {
  const emitter = new EventEmitter();
  const codes: number[] = [];
  const lines: string[] = [];
  const host: ProcessHost = {
    on: (signal, listener) => void emitter.on(signal, listener),
    off: (signal, listener) => void emitter.off(signal, listener),
    exit: (code) => void codes.push(code),
  };
  return {
    host,
    codes,
    kill: (signal: "SIGTERM" | "SIGINT") => emitter.emit(signal),
    listeners: () => emitter.listenerCount("SIGTERM") + emitter.listenerCount("SIGINT"),
    log: createLog({ service: "test", write: (line) => lines.push(line) }),
    events: () => lines.map((line) => (JSON.parse(line) as { event: string }).event),
  };
}

it("disposes once when told to stop, and exits with 0", async () => {
  const { host, codes, kill, listeners, log, events } = fakeProcess();
  const started = Promise.withResolvers<void>();
  let disposals = 0;
  const run = runProcess(
    async () => {
      started.resolve();
      return { [Symbol.asyncDispose]: async () => void (disposals += 1) };
    },
    { host, log },
  );
  await started.promise;
  kill("SIGTERM");
  await run;
  expect({ codes, disposals, listeners: listeners(), events: events() }).toEqual({
    codes: [0],
    disposals: 1,
    listeners: 0,
    events: ["process.stopping"],
  });
});

it("forces the end at the second signal", async () => {
  const { host, codes, kill, log } = fakeProcess();
  const disposing = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const run = runProcess(
    () =>
      Promise.resolve({
        [Symbol.asyncDispose]() {
          disposing.resolve();
          return finish.promise;
        },
      }),
    { host, log },
  );
  kill("SIGINT");
  await disposing.promise;
  kill("SIGINT");
  expect(codes).toEqual([130]);
  finish.resolve();
  await run;
});

it("exits with 1 when disposal takes too long, or fails", async () => {
  const late = fakeProcess();
  const forever = { [Symbol.asyncDispose]: () => new Promise<void>(() => undefined) };
  const lateRun = runProcess(() => Promise.resolve(forever), {
    host: late.host,
    log: late.log,
    disposeWithinMs: 10,
  });
  late.kill("SIGTERM");
  await lateRun;
  expect([late.codes, late.events()]).toEqual([[1], ["process.stopping", "process.stop-late"]]);

  const failed = fakeProcess();
  const failing = { [Symbol.asyncDispose]: () => Promise.reject(new Error("stuck")) };
  const failedRun = runProcess(() => Promise.resolve(failing), { host: failed.host, log: failed.log });
  failed.kill("SIGTERM");
  await failedRun;
  expect([failed.codes, failed.events()]).toEqual([[1], ["process.stopping", "process.stop-failed"]]);
});

it("exits with 1 when the start fails, and with 0 when it was stopped meanwhile", async () => {
  const failed = fakeProcess();
  await runProcess(() => Promise.reject(new Error("no store")), { host: failed.host, log: failed.log });
  expect([failed.codes, failed.events()]).toEqual([[1], ["process.start-failed"]]);
  const misconfigured = fakeProcess();
  await runProcess(() => Promise.reject(new ConfigError(["--x is missing"])), {
    host: misconfigured.host,
    log: misconfigured.log,
  });
  expect([misconfigured.codes, misconfigured.events()]).toEqual([[1], ["process.misconfigured"]]);

  const stopped = fakeProcess();
  const run = runProcess(
    (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      }),
    { host: stopped.host, log: stopped.log },
  );
  stopped.kill("SIGTERM");
  await run;
  expect(stopped.codes).toEqual([0]);

  const deaf = fakeProcess();
  const deafRun = runProcess(() => new Promise(() => undefined), {
    host: deaf.host,
    log: deaf.log,
    disposeWithinMs: 10,
  });
  deaf.kill("SIGTERM");
  await deafRun;
  expect([deaf.codes, deaf.events()]).toEqual([[1], ["process.stop-late"]]);
});
