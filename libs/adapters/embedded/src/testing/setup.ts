/** A file of its own for each test, and a clock that the test moves. For specs only, which bring the clock. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "@greco/ports";
import type { Setup } from "@greco/ports/testing";

export type MovableClock = Clock & { advance(ms: number): Promise<void> };
export type Opening = { readonly path: string; readonly clock: MovableClock };

export function embeddedSetup<Store extends AsyncDisposable>(
  clockOf: () => MovableClock,
  open: (options: Opening, signal: AbortSignal) => Promise<Store>,
): Setup<Store> {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), "greco-embedded-"));
    const clock = clockOf();
    const options = { path: join(folder, "data.db"), clock };
    return {
      open: () => open(options, new AbortController().signal),
      pass: (ms) => clock.advance(ms),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  };
}
