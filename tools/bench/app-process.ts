// An app of Greco as it is deployed, a process of its own on real engines, with keys that the benchmark issues.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createDevKeys, systemClock, type DevKeys } from "@greco/service-kit";
import { root } from "../lib/run.ts";

export type BenchKeys = AsyncDisposable & { readonly keys: DevKeys; readonly folder: string };

/** In a folder that goes with them. */
export async function benchKeys(): Promise<BenchKeys> {
  const folder = await mkdtemp(join(tmpdir(), "greco-bench-"));
  const keys = await createDevKeys(join(folder, "keys"), systemClock);
  return { keys, folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

export type Process = AsyncDisposable & { readonly address: string; readonly pid: number };

type Start = {
  /** Below the root. */
  readonly program: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The event of its log that says that it serves, with its address. */
  readonly event: string;
};

const LAST_LINES = 20;

/** Resolves when it serves. Disposing ends it by SIGTERM, as an operator would. */
export async function startProcess(
  { program, flags = [], env = {}, event }: Start,
  signal: AbortSignal,
): Promise<Process> {
  signal.throwIfAborted();
  const child = spawn(process.execPath, [join(root, program), ...flags], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const said: string[] = [];
  const serving = Promise.withResolvers<string>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    said.splice(0, Math.max(0, said.length - LAST_LINES));
    said.push(line);
    if (!line.startsWith("{")) return;
    const told = JSON.parse(line) as { event?: string; address?: string };
    if (told.event === event) serving.resolve(told.address ?? "");
  });
  const died = exited.then(() => Promise.reject(new Error(`${program} ended:\n${said.join("\n")}`)));
  died.catch(() => undefined);
  const abort = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", abort, { once: true });
  const address = await Promise.race([serving.promise, died]);
  return {
    address,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener("abort", abort);
      if (child.exitCode === null) child.kill("SIGTERM");
      await exited;
    },
  };
}
