/** One app as a process of its own, at fixed ports: killed, stopped, continued, started again by its name. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Reaper } from "../../../../tools/servers/reaper.ts";
import { until as untilLevel } from "../../../../tools/servers/until.ts";

export const APPS = [
  ...(["registry", "coordinator", "ingress", "runtime"] as const),
  ...(["conductor-streams", "conductor-tables", "conductor-worker"] as const),
] as const;
export type App = (typeof APPS)[number];
/** What can be such a process: of Lambda's conductor there is none in a cluster. */
export type Program = App | "conductor-lambda";

export type AppSignal = "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT";

export type StartOptions = {
  /** As in GRECO_FAILPOINT: `commit.promote.after:kill`. Of this start only. */
  readonly failpoint?: string | undefined;
};

/** One line of its log. */
export type LogLine = { readonly event: string; readonly [field: string]: unknown };

export interface AppProcess extends AsyncDisposable {
  /** `ingress-2`: the app, and which of them, from 1. */
  readonly name: string;
  readonly app: Program;
  /** gRPC, or health alone: the same after a restart. */
  readonly address: string;
  /** `http://127.0.0.1:12345/metrics` */
  readonly metrics: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Its last end was by SIGKILL, as by a failpoint or by `kill`. */
  readonly wasKilled: boolean;
  /** What it logged in all of its lives, the oldest first, at most the last 2,000 lines. */
  readonly lines: readonly LogLine[];
  /** Resolves when it serves; rejects with the end of its log when it ends before. */
  start(signal: AbortSignal, options?: StartOptions): Promise<void>;
  /** Resolves when it has taken effect: the process is gone, stands, or goes on. */
  kill(signal: AppSignal): Promise<void>;
  /** Resolves when it is gone, by a failpoint or otherwise. */
  ended(signal: AbortSignal): Promise<void>;
}

export type AppProcessOptions = {
  readonly name: string;
  readonly app: Program;
  readonly address: string;
  readonly metrics: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A test that is given up must not leave it behind. */
  readonly reaper: Reaper;
};

/** Says that it serves. */
const SERVING: Record<Program, string> = {
  registry: "registry.started",
  coordinator: "coordinator.started",
  ingress: "ingress.serving",
  runtime: "runtime.serving",
  "conductor-streams": "conductor.started",
  "conductor-tables": "conductor.started",
  "conductor-worker": "conductor.started",
  "conductor-lambda": "conductor.started",
};

const LINES_MAX = 2_000;
const LINES_SHOWN = 15;
/** A signal takes effect at once; a graceful stop has its own deadline, which is shorter. */
const EFFECT_WITHIN_MS = 60_000;

type Life = {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly serving: Promise<void>;
  readonly ended: Promise<void>;
};

const isStopped = (pid: number): boolean => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
};

/** Not started yet. Disposing kills it, if it runs. */
export function appProcess(options: AppProcessOptions): AppProcess {
  const { name, app, address, metrics, reaper } = options;
  const main = join(import.meta.dirname, "../../..", app, "src/main.ts");
  const lines: LogLine[] = [];
  let life: Life | undefined;
  let wasKilled = false;

  const take = (line: string): LogLine => {
    // A failpoint, and Node itself, write plain text.
    const said: LogLine = line.startsWith("{") ? (JSON.parse(line) as LogLine) : { event: line };
    lines.push(said);
    if (lines.length > LINES_MAX) lines.shift();
    return said;
  };
  const lastLines = (): string =>
    lines
      .slice(-LINES_SHOWN)
      .map((line) => JSON.stringify(line))
      .join("\n");

  const launch = (failpoint: string | undefined): Life => {
    const armed = failpoint === undefined ? {} : { GRECO_FAILPOINT: failpoint };
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...options.flags], {
      env: { ...process.env, ...options.env, ...armed },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const pid = child.pid ?? 0;
    reaper.watch(pid);
    const served = Promise.withResolvers<void>();
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (take(line).event === SERVING[app]) served.resolve();
    });
    const ended = once(child, "exit").then(([code, signal]: unknown[]) => {
      reaper.forget(pid);
      wasKilled = signal === "SIGKILL";
      served.reject(
        new Error(`${name} ended with ${String(code ?? signal)} before it served:\n${lastLines()}`),
      );
      if (life === started) life = undefined;
    });
    served.promise.catch(() => undefined);
    const started: Life = { child, pid, serving: served.promise, ended };
    return started;
  };

  const need = (): Life => {
    if (life === undefined) throw new Error(`${name} does not run`);
    return life;
  };

  return {
    name,
    app,
    address,
    metrics,
    lines,
    get pid() {
      return life?.pid;
    },
    get wasKilled() {
      return wasKilled;
    },
    async start(signal, { failpoint } = {}) {
      if (life !== undefined) throw new Error(`${name} runs already`);
      life = launch(failpoint);
      const given = Promise.withResolvers<never>();
      const giveUp = (): void =>
        given.reject(
          new Error(`${name} does not serve yet; the end of its log:\n${lastLines()}`, {
            cause: signal.reason,
          }),
        );
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        signal.throwIfAborted();
        await Promise.race([life.serving, given.promise]);
      } finally {
        signal.removeEventListener("abort", giveUp);
      }
    },
    async kill(signal) {
      const { child, pid, ended } = need();
      child.kill(signal);
      if (signal === "SIGKILL" || signal === "SIGTERM") return ended;
      const what = `${name} to take ${signal}`;
      const effect = { what, withinMs: EFFECT_WITHIN_MS, signal: AbortSignal.timeout(2 * EFFECT_WITHIN_MS) };
      return untilLevel(() => isStopped(pid) === (signal === "SIGSTOP"), effect);
    },
    async ended(signal) {
      const given = Promise.withResolvers<never>();
      const giveUp = (): void =>
        given.reject(
          new Error(`${name} still runs; the end of its log:\n${lastLines()}`, { cause: signal.reason }),
        );
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        signal.throwIfAborted();
        await Promise.race([life?.ended ?? Promise.resolve(), given.promise]);
      } finally {
        signal.removeEventListener("abort", giveUp);
      }
    },
    async [Symbol.asyncDispose]() {
      const running = life;
      if (running === undefined) return;
      running.child.kill("SIGKILL");
      await running.ended;
    },
  };
}
