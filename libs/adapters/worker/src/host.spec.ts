import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Log } from "@greco/ports";
import { functionHostContract } from "@greco/ports/testing";
import { createWorkerFunctionHost } from "./host.ts";

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};
const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

functionHostContract("the worker host", () =>
  createWorkerFunctionHost({ threads: 2, clock, log: silent, limits: { heapMb: 48, loadTimeoutMs: 2_000 } }),
);
