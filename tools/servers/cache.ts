// Where servers are installed, and the lock under which they are, so that two test runs do not build at once.
import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../lib/run.ts";
import { MissingToolchainError, type Say } from "./engine.ts";

export function cacheFolder(): string {
  const named = process.env["GRECO_CACHE"] ?? "";
  return named === "" ? join(homedir(), ".cache", "greco") : named;
}

const LOCK_POLL_MS = 200;

export type LockOptions = { readonly cache: string; readonly say: Say; readonly signal: AbortSignal };

/**
 * Runs `work` while no other process runs any of the same name. The lock is SQLite's on a file, because the system
 * lets go of it when a process dies, however it dies.
 */
export async function locked<T>(name: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(options.cache, { recursive: true });
  using database = new DatabaseSync(join(options.cache, `${name}.lock`));
  for (let said = false; ; said = true) {
    options.signal.throwIfAborted();
    try {
      database.exec("BEGIN EXCLUSIVE");
      break;
    } catch (error) {
      if (!(error instanceof Error && error.message.includes("locked"))) throw error;
    }
    if (!said) options.say(`another process installs ${name}: waiting for it`);
    await sleep(LOCK_POLL_MS, undefined, { signal: options.signal });
  }
  return await work();
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Throws `MissingToolchainError` when `program` cannot be run. `args` must make it end at once: `version`. */
export async function needProgram(
  engine: string,
  [program, ...args]: readonly [string, ...string[]],
  howToGet: string,
): Promise<void> {
  const ran = await run(program, args).catch(() => undefined);
  if (ran?.code !== 0) throw new MissingToolchainError(engine, program, howToGet);
}
