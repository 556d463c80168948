/**
 * In AWS: what a handler throws where nobody catches it fails its own call, as on worker threads. By itself Node, and
 * AWS's runtime too, would end the process with every call that it has.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { describeError } from "@greco/adapter-worker/program";

type Fail = (error: unknown) => void;

const callOf = new AsyncLocalStorage<Fail>();
let guarded = false;

/** Errors of `work`, also later ones of its timers, are told to `fail`. */
export function asCall(fail: Fail, work: () => Promise<void>): void {
  callOf.run(fail, () => void work().catch(fail));
}

/** At the first call and not before: AWS's runtime has put its own listeners up by then, which end the process. */
export function guardProcess(): void {
  if (guarded) return;
  guarded = true;
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    if (callOf.getStore() === undefined) exit(code);
    throw new Error("process.exit is not for handlers: return, or throw an error");
  };
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => {
    const fail = callOf.getStore();
    if (fail === undefined) stray(error);
    else fail(error);
  });
  // The call itself goes on: it may still handle it, and ends by its time limit if not.
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", stray);
}

/** Into the function's log. */
function stray(error: unknown): void {
  console.error(`an error that no call has caught: ${describeError(error)}`);
}
