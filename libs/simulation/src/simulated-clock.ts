/**
 * A clock that stands still until a test moves it. Sleepers wake in the order of their deadlines, those of one
 * deadline in the order in which they lay down, and between two deadlines everything that was woken may run and
 * lie down again: `advance(10_000)` sees ten turns of a loop that sleeps a second.
 */
import type { Clock } from "@greco/ports";

export type SimulatedClock = Clock & {
  /** Moves both clocks by `ms`, waking who is due on the way; resolves when what was woken has come to rest. */
  advance(ms: number): Promise<void>;
  /** Moves time to each next sleeper until `work` settles, and gives its outcome. */
  drive<T>(work: Promise<T>): Promise<T>;
  /** Moves the wall clock alone, as an operator or NTP does; nobody wakes. */
  jumpWall(ms: number): void;
  /** How many sleep now: 0 at the end of a test that left nothing behind. */
  readonly sleeping: number;
};

type Sleeper = { readonly at: number; readonly wake: () => void };

/**
 * Turns of the event loop that woken code gets to come to rest. A write to an embedded store takes one; what goes
 * over sockets or to another process is the test's to wait for.
 */
const TURNS = 24;

/** Turns the event loop without telling time. */
async function turn(): Promise<void> {
  // eslint-disable-next-line no-restricted-globals -- no time passes: it lets queued work run
  await new Promise<void>((resolve) => setImmediate(resolve));
}

async function rest(): Promise<void> {
  for (let each = 0; each < TURNS; each++) await turn();
}

export function simulatedClock(startMs = 1_700_000_000_000): SimulatedClock {
  let monotonic = 0;
  let wall = startMs;
  const sleepers: Sleeper[] = [];
  const awaiting = new Set<() => void>();

  const moveTo = (at: number): void => {
    wall += at - monotonic;
    monotonic = at;
  };
  const wakeDue = (): void => {
    while (sleepers[0] !== undefined && sleepers[0].at <= monotonic) sleepers.shift()?.wake();
  };

  return {
    nowMs: () => wall,
    monotonicMs: () => monotonic,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const at = monotonic + Math.max(0, ms);
        const aborted = (): void => {
          sleepers.splice(sleepers.indexOf(sleeper), 1);
          reject(signal.reason as Error);
        };
        const sleeper: Sleeper = {
          at,
          wake: () => {
            signal.removeEventListener("abort", aborted);
            resolve();
          },
        };
        const behind = sleepers.findIndex((each) => each.at > at);
        sleepers.splice(behind === -1 ? sleepers.length : behind, 0, sleeper);
        for (const told of awaiting) told();
        signal.addEventListener("abort", aborted, { once: true });
      }),
    async advance(ms) {
      const target = monotonic + ms;
      await rest();
      while (sleepers[0] !== undefined && sleepers[0].at <= target) {
        moveTo(Math.max(monotonic, sleepers[0].at));
        wakeDue();
        await rest();
      }
      moveTo(Math.max(monotonic, target));
    },
    async drive(work) {
      let settled = false;
      const over = work.then(
        () => (settled = true),
        () => (settled = true),
      );
      for (await rest(); !settled; await rest()) {
        const next = sleepers[0];
        if (next !== undefined) {
          moveTo(Math.max(monotonic, next.at));
          wakeDue();
          continue;
        }
        // It waits for something real.
        let told: (() => void) | undefined;
        const lain = new Promise<void>((resolve) => awaiting.add((told = resolve)));
        await Promise.race([over, lain]);
        if (told !== undefined) awaiting.delete(told);
      }
      return work;
    },
    jumpWall(ms) {
      wall += ms;
    },
    get sleeping() {
      return sleepers.length;
    },
  };
}
