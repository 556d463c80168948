// One process of a cluster: started, killed, stopped, continued, started again with its data.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { NodeSignal, ServerNode } from "./engine.ts";
import type { Reaper } from "./reaper.ts";
import { until } from "./until.ts";

export type NodeOptions = {
  /** For errors: "etcd node 2". */
  readonly name: string;
  readonly address: string;
  /** Its log, and below `data` what `wipe` removes. */
  readonly folder: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly reaper: Reaper;
  /** Asked again and again after a start. A rejection counts as "not yet". */
  serves(signal: AbortSignal): Promise<boolean>;
  /** How long a start may take, on a busy machine. */
  readonly startWithinMs: number;
};

const LOG_LINES = 15;
/** A server that does not end by SIGTERM is a failed test. */
const END_WITHIN_MS = 60_000;

type Running = { readonly pid: number; readonly ended: Promise<void>; stopped: boolean };

/** The letter that the system shows for a process's state: T is stopped. */
function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}

/** Ends what a process has left behind when it ended. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Not started yet. Disposing kills it, if it runs. */
export function serverNode(options: NodeOptions): ServerNode & AsyncDisposable {
  const { name, address, folder, program, args, reaper } = options;
  const data = join(folder, "data");
  const log = join(folder, "log");
  let running: Running | undefined;

  const launch = (): Running => {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const output = openSync(log, "a");
    // In a session of its own: Ctrl-C is for who started it, and that one ends it. So it leads a process group too,
    // which its own children belong to: what is sent to it, and its end, are theirs.
    const child = spawn(program, args, {
      cwd: folder,
      detached: true,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    const failed = once(child, "error").then(([error]) => {
      // There is no process: nothing must ever be sent to number 0, which is this one's own group.
      if (running === started) running = undefined;
      return Promise.reject(error as Error);
    });
    const pid = child.pid ?? 0;
    if (pid !== 0) reaper.watch(pid);
    const started: Running = {
      pid,
      stopped: false,
      ended: Promise.race([once(child, "exit"), failed]).then(() => {
        endGroup(pid);
        reaper.forget(pid);
        if (running === started) running = undefined;
      }),
    };
    // Whoever waits for it is told; nobody must.
    failed.catch(() => undefined);
    started.ended.catch(() => undefined);
    return started;
  };

  const lastLines = (): string =>
    readFileSync(log, "utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n");

  const need = (): Running => {
    if (running === undefined || running.pid === 0) throw new Error(`${name} does not run`);
    return running;
  };

  const kill = async (signal: NodeSignal): Promise<void> => {
    const target = need();
    const effect = { withinMs: END_WITHIN_MS, signal: AbortSignal.timeout(END_WITHIN_MS + 1_000) };
    process.kill(-target.pid, signal);
    if (signal === "SIGSTOP")
      return until(() => stateOf(target.pid) === "T", { ...effect, what: `${name} to stop` });
    if (signal === "SIGCONT")
      return until(() => stateOf(target.pid) !== "T", { ...effect, what: `${name} to go on` });
    await target.ended;
  };

  return {
    address,
    get pid() {
      return running?.pid;
    },
    kill,
    async start(signal) {
      if (running !== undefined) throw new Error(`${name} runs already`);
      const started = launch();
      running = started;
      const serving = new AbortController();
      const both = AbortSignal.any([signal, serving.signal]);
      const ready = until(() => options.serves(both).catch(() => false), {
        what: `${name} to serve at ${address}`,
        withinMs: options.startWithinMs,
        signal: both,
      });
      const early = started.ended.then(() => {
        throw new Error(`${name} ended instead of serving`);
      });
      try {
        await Promise.race([ready, early]);
      } catch (error) {
        if (running === started) await kill("SIGKILL");
        throw new Error(`${name} could not be started; the end of ${log}:\n${lastLines()}`, { cause: error });
      } finally {
        serving.abort(new Error("served, or given up"));
        await Promise.allSettled([ready]);
        early.catch(() => undefined);
      }
    },
    async wipe() {
      if (running !== undefined) throw new Error(`${name} runs: kill it before its data are removed`);
      await rm(data, { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      if (running !== undefined) await kill("SIGKILL");
    },
  };
}
