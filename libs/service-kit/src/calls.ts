/** The calls under way, so that a stop can wait for them, and end what does not end by itself. */
import { type Fault, fault } from "./fault.ts";

export type CallScope = {
  readonly signal: AbortSignal;
  /** `why` is asked only if somebody is still there to be told. */
  abort(why: () => Fault): void;
  /** The call is answered: an abort that comes now has nobody to tell. */
  done(): void;
};

export type Calls = {
  /** Streams may last for ever and are ended earlier than the others when the service stops. */
  start(streaming: boolean): CallScope;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
  abort(which: "streams" | "all"): void;
  readonly count: number;
};

export function createCalls(): Calls {
  const open = new Map<AbortController, boolean>();
  let waiting: (() => void)[] = [];
  return {
    start(streaming) {
      const controller = new AbortController();
      open.set(controller, streaming);
      return {
        signal: controller.signal,
        abort: (why) => {
          if (open.has(controller)) controller.abort(why());
        },
        done() {
          if (!open.delete(controller) || open.size > 0) return;
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
