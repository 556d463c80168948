/** The calls under way, so that a stop can wait for them, and end what does not end by itself. */
import type { CallMeter } from "./call-metrics.ts";
import { type Fault, fault } from "./fault.ts";
import type { Endpoint } from "./handlers.ts";

export type CallScope = {
  readonly signal: AbortSignal;
  /** `why` is asked only if somebody is still there to be told. */
  abort(why: () => Fault): void;
  /** The call is answered, with this failure or well: an abort that comes now has nobody to tell. */
  done(failure?: Fault): void;
};

export type Calls = {
  /** Streams may last for ever and are ended earlier than the others when the service stops. */
  start(endpoint: Endpoint): CallScope;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
  abort(which: "streams" | "all"): void;
  readonly count: number;
};

export function createCalls(meter?: CallMeter): Calls {
  const open = new Map<AbortController, boolean>();
  let waiting: (() => void)[] = [];
  return {
    start(endpoint) {
      const controller = new AbortController();
      open.set(controller, endpoint.kind !== "unary");
      const ended = meter?.(endpoint);
      return {
        signal: controller.signal,
        abort: (why) => {
          if (open.has(controller)) controller.abort(why());
        },
        done(failure) {
          if (!open.delete(controller)) return;
          ended?.(failure);
          if (open.size > 0) return;
          for (const resolve of waiting) resolve();
          waiting = [];
        },
      };
    },
    idle: () => (open.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    abort(which) {
      const reason = fault.unavailable(
        "SERVICE_STOPPING",
        "this instance stops: connect again and go on from there",
      );
      for (const [controller, streaming] of open) if (streaming || which === "all") controller.abort(reason);
    },
    get count() {
      return open.size;
    },
  };
}
