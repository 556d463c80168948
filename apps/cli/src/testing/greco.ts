/** `greco dev` and `greco` as a person runs them: processes, files, exit codes. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "../../../..");
const LAUNCHER = join(ROOT, "bin/greco.mjs");
/** Without the launcher in front, which costs a process for each of a hundred calls. */
const MAIN = join(ROOT, "apps/cli/src/main.ts");
/** As the launcher has it. */
const COMPILED = join(ROOT, ".cache/node");
const ENVIRONMENT = { PATH: process.env["PATH"] ?? "", HOME: tmpdir(), NODE_COMPILE_CACHE: COMPILED };
const START_MS = 60_000;

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type RunOptions = {
  readonly input?: string;
  /** As of a program that has written its input, and may write more. */
  readonly stdinStaysOpen?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Told of what comes to stdout, with a way to end the process. */
  readonly onOutput?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** Of what comes to stderr. */
  readonly onNote?: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void;
};

function collect(child: ChildProcess, options: RunOptions): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onOutput?.(stdout, (signal) => void child.kill(signal));
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onNote?.(stderr, (signal) => void child.kill(signal));
  });
  if (options.stdinStaysOpen === true) child.stdin?.write(options.input ?? "");
  else child.stdin?.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A command of a shell, in which `greco` is the command line. */
export function shell(command: string, options: RunOptions = {}): Promise<Ran> {
  const greco = `greco() { "${process.execPath}" --disable-warning=ExperimentalWarning "${MAIN}" "$@"; }`;
  const child = spawn("bash", ["-c", `${greco}\n${command}`], {
    env: { ...ENVIRONMENT, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  return collect(child, options);
}

/** The command line with an environment of its own: no terminal, nothing of the caller's. */
export function greco(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    env: { ...ENVIRONMENT, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  return collect(child, options);
}

/** `greco …` on one model. */
export type Greco = (args: readonly string[], options?: RunOptions) => Promise<Ran>;

/** A Greco of its own in a temporary folder, and models in it. */
export class GrecoDev implements AsyncDisposable {
  readonly dir: string;
  readonly data: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ran>;
  #models = 0;

  private constructor(dir: string, child: ChildProcess, ended: Promise<Ran>) {
    this.dir = dir;
    this.data = join(dir, "data");
    this.#child = child;
    this.#ended = ended;
  }

  static async start(): Promise<GrecoDev> {
    const dir = await mkdtemp(join(tmpdir(), "greco-cli-"));
    const child = spawn(
      process.execPath,
      [LAUNCHER, "dev", "--data", join(dir, "data"), "--port-base", "0"],
      {
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    const { promise: serves, resolve } = Promise.withResolvers<undefined>();
    const ended = collect(child, {
      onOutput: (stdout) => {
        if (stdout.includes("Greco serves")) resolve(undefined);
      },
    });
    const late = AbortSignal.timeout(START_MS);
    const tooLate = new Promise<Ran>((given) =>
      late.addEventListener("abort", () => given({ code: null, stdout: "", stderr: "too late" })),
    );
    const early = await Promise.race([serves, ended, tooLate]);
    if (early !== undefined) {
      child.kill();
      throw new Error(`greco dev does not start: ${early.stderr}${early.stdout}`);
    }
    return new GrecoDev(dir, child, ended);
  }

  /** `greco …` against this one. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return greco(args, { ...options, env: { GRECO_DATA: this.data, ...options.env } });
  }

  /** A fresh model with its conductors, and `greco …` on it. */
  async model(): Promise<Greco> {
    this.#models += 1;
    const name = `model-${this.#models}`;
    const made = await this.run(["model", "create", name, "--wait"]);
    if (made.code !== 0) throw new Error(`no model: ${made.stderr}`);
    return (args, options = {}) => this.run(args, { ...options, env: { GRECO_MODEL: name, ...options.env } });
  }

  /** Writes a file into this one's folder; returns its path. */
  async file(name: string, text: string): Promise<string> {
    const path = join(this.dir, name);
    await writeFile(path, text);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#ended;
    await rm(dirname(this.data), { recursive: true, force: true });
  }
}
