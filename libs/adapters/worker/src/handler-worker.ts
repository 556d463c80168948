/**
 * In the worker: calls handlers, many at once, each with its own time limit. A call that blocks the thread is the
 * host's to end; it sees the beat stand still.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { MessagePort } from "node:worker_threads";
import { ProgramLoadError } from "@greco/ports";
import { handlerFailure, isThenable, timedOut } from "./handler-failure.ts";
import {
  describeError,
  type HandlerProgram,
  importHandler,
  type OutputLimits,
  toPayloads,
} from "./handler-program.ts";
import {
  type Call,
  type CallOutcome,
  type Failure,
  type FromWorker,
  NOTHING,
  Progress,
  type ToWorker,
} from "./protocol.ts";

type Running = { readonly abort: AbortController; readonly timer: NodeJS.Timeout };

export function runHandlers(port: MessagePort, progress: Int32Array, limits: OutputLimits): void {
  const programs = new Map<number, HandlerProgram>();
  const running = new Map<number, Running>();
  const callOf = new AsyncLocalStorage<number>();
  const send = (message: FromWorker): void => port.postMessage(message);
  const heart = heartbeat(progress);
  const outcomes = batched<CallOutcome>((batch) => send({ type: "outcomes", outcomes: batch }));

  const finish = (outcome: CallOutcome): void => {
    const call = running.get(outcome.call);
    if (call === undefined) return; // too late: its time is up, or it was given up
    clearTimeout(call.timer);
    running.delete(outcome.call);
    if (running.size === 0) heart.stop();
    outcomes.add(outcome);
  };
  const fail = (call: number, failure: Failure): void => finish({ call, failure });

  /** Runs what may throw, and may block the thread, as that call. */
  const asCall = (call: number, work: () => void): void => {
    Atomics.add(progress, Progress.beat, 1);
    Atomics.store(progress, Progress.current, call);
    try {
      callOf.run(call, work);
    } catch (error) {
      fail(call, handlerFailure(error));
    } finally {
      Atomics.store(progress, Progress.current, NOTHING);
    }
  };

  const start = (call: Call): void => {
    if (cancelled.delete(call.call)) return;
    const program = programs.get(call.program);
    const abort = new AbortController();
    const timeoutMs = program?.timeoutMs ?? 0;
    const timer = setTimeout(() => {
      fail(call.call, timedOut(timeoutMs));
      abort.abort(new DOMException(`the call's ${timeoutMs} ms are over`, "TimeoutError"));
    }, timeoutMs);
    running.set(call.call, { abort, timer });
    heart.start();
    asCall(call.call, () => {
      if (program === undefined) throw new Error("the program is not loaded");
      const result = program.start(call, abort.signal);
      const settle = (value: unknown): void =>
        asCall(call.call, () => finish({ call: call.call, outputs: toPayloads(value, limits) }));
      if (!isThenable(result)) settle(result);
      else Promise.resolve(result).then(settle, (error: unknown) => fail(call.call, handlerFailure(error)));
    });
  };

  const waiting = oneByOne(start);
  const cancelled = new Set<number>();

  process.exit = () => {
    throw new Error("process.exit is not for handlers: return, or throw an error");
  };
  process.on("uncaughtException", (error) => {
    const call = callOf.getStore();
    if (call !== undefined && running.has(call)) fail(call, handlerFailure(error));
    else send({ type: "stray", message: describeError(error) });
  });
  // The call itself goes on: it may still handle it, and ends by its time limit if not.
  process.on("unhandledRejection", (error) => send({ type: "stray", message: describeError(error) }));

  port.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "load":
        void load(programs, message.program, message.source, send);
        break;
      case "unload":
        programs.delete(message.program);
        break;
      case "call":
        Atomics.store(progress, Progress.batch, message.call);
        waiting.add(message);
        break;
      case "cancel": {
        const call = running.get(message.call);
        if (call === undefined && waiting.has(message.call)) {
          cancelled.add(message.call);
          outcomes.add({ call: message.call, outputs: [] });
        }
        finish({ call: message.call, outputs: [] });
        call?.abort.abort(new DOMException("nobody waits for this call any more", "AbortError"));
        break;
      }
      case "batch":
        throw new Error("batches go to other workers");
    }
  });
  send({ type: "ready" });
}

async function load(
  programs: Map<number, HandlerProgram>,
  program: number,
  source: Parameters<typeof importHandler>[0],
  send: (message: FromWorker) => void,
): Promise<void> {
  try {
    programs.set(program, await importHandler(source));
    send({ type: "loaded", program });
  } catch (error) {
    const known = error instanceof ProgramLoadError ? error : undefined;
    const message = known?.message ?? describeError(error);
    send({
      type: "refused",
      program,
      reason: known?.reason ?? "BAD_HANDLER",
      place: known?.place ?? "handler",
      message,
    });
  }
}

/** Beats while calls run, so that an idle worker sleeps. */
function heartbeat(progress: Int32Array): { start(): void; stop(): void } {
  const everyMs = 5;
  let timer: NodeJS.Timeout | undefined;
  return {
    start() {
      timer ??= setInterval(() => Atomics.add(progress, Progress.beat, 1), everyMs);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

/** Calls that compute take turns with timers and with what comes from the outside. */
function oneByOne(start: (call: Call) => void): { add(call: Call): void; has(call: number): boolean } {
  const queue: Call[] = [];
  const turn = (): void => {
    const call = queue.shift();
    if (call === undefined) return;
    if (queue.length > 0) setImmediate(turn);
    start(call);
  };
  return {
    add(call) {
      queue.push(call);
      if (queue.length === 1) setImmediate(turn);
    },
    has: (call) => queue.some((other) => other.call === call),
  };
}

/** One message for all that is done in one turn of the loop. */
function batched<T>(send: (items: readonly T[]) => void): { add(item: T): void } {
  let items: T[] = [];
  return {
    add(item) {
      items.push(item);
      if (items.length > 1) return;
      setImmediate(() => {
        const done = items;
        items = [];
        send(done);
      });
    },
  };
}
