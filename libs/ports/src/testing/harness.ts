/**
 * What an adapter brings to be held to a port's contract, and what the suites share. Nothing here or in a suite
 * assumes an engine: a new store of data, handles on it, and time that passes.
 */
import { expect, it } from "vitest";
import { type Random, seededRandom } from "./random.ts";

/** The data of one test. Disposed at its end, when all handles are closed. */
export type Harness<Store extends AsyncDisposable> = AsyncDisposable & {
  /** Another handle on this test's data, as another process would have it. The test disposes it. */
  open(): Promise<Store>;
  /** Lets time pass for all handles: leases lapse, windows end. On a real engine it waits. */
  pass(ms: number): Promise<void>;
};

/** With the server of its own behind this test's data, for adapters that talk to one. */
export type ServerHarness<Store extends AsyncDisposable> = Harness<Store> & {
  /** The server is killed; `start` brings it back with its data. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Removes its data, while it is stopped. */
  wipe(): Promise<void>;
  /** Ends all connections to it; new ones may be made at once. */
  cut(): void;
  /** Nothing passes in either direction, and nobody is told; until `thaw`, which cuts what stood. */
  freeze(): void;
  thaw(): void;
};

/** Called once a test: empty data that no other test sees. */
export type Setup<Store extends AsyncDisposable> = () => Promise<Harness<Store>>;
export type ServerSetup<Store extends AsyncDisposable> = () => Promise<ServerHarness<Store>>;

/** For calls that are never given up. */
export const noAbort: AbortSignal = new AbortController().signal;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** An `it` whose body gets the data of its own and one open handle. */
export function tester<Store extends AsyncDisposable>(
  setup: Setup<Store>,
): (title: string, body: (store: Store, harness: Harness<Store>) => Promise<void>) => void {
  return testerOf(setup);
}

/** The same, with the server behind it. */
export function serverTester<Store extends AsyncDisposable>(
  setup: ServerSetup<Store>,
): (title: string, body: (store: Store, harness: ServerHarness<Store>) => Promise<void>) => void {
  return testerOf(setup);
}

function testerOf<Store extends AsyncDisposable, H extends Harness<Store>>(
  setup: () => Promise<H>,
): (title: string, body: (store: Store, harness: H) => Promise<void>) => void {
  return (title, body) => {
    it(title, async () => {
      await using harness = await setup();
      await using store = await harness.open();
      await body(store, harness);
    });
  };
}

/** Seeds of a property test: one that is always the same, and one of the day's; `GRECO_SEED` runs that one alone. */
export function seeds(): readonly number[] {
  const given = process.env["GRECO_SEED"];
  return given === undefined ? [1, Math.floor(Math.random() * 2 ** 31)] : [Number(given)];
}

/** Runs `body` for each seed; what fails names its own. */
export async function forSeeds(body: (random: Random) => Promise<void>): Promise<void> {
  for (const seed of seeds()) {
    try {
      await body(seededRandom(seed));
    } catch (error) {
      if (error instanceof Error) error.message = `GRECO_SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
}

/** The reason with which `call` rejects, which must be of `type`. */
export async function rejection<E extends Error>(
  call: Promise<unknown>,
  type: abstract new (...args: never[]) => E,
): Promise<E> {
  const outcome = await call.then(
    () => "it resolved",
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(type);
  return outcome as E;
}
