/**
 * A process that is stopped and goes on later: its clock's sleepers do not wake, and its calls of a store are not
 * begun or not answered, until it wakes up; then everything comes at once, and its clock shows how late it is.
 */
import type { Clock } from "@greco/ports";

export class SleepyClock implements Clock {
  readonly #clock: Clock;
  #awake: Promise<void> = Promise.resolve();
  #wake: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  fallAsleep(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awake = promise;
    this.#wake = resolve;
  }
  wakeUp(): void {
    this.#wake();
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#awake;
    try {
      await this.#clock.sleep(ms, signal);
    } finally {
      await this.#awake;
    }
  }

  /** The store as the sleeper sees it. */
  before<Store extends object>(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const own = target[name as keyof Store];
        if (typeof own !== "function") return own;
        return async (...parameters: unknown[]): Promise<unknown> => {
          await this.#awake;
          try {
            return await (own as (...all: unknown[]) => Promise<unknown>).apply(target, parameters);
          } finally {
            await this.#awake;
          }
        };
      },
    });
  }
}
