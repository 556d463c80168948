// Runs a program of this repository and collects what it says.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";

export const root = dirname(dirname(import.meta.dirname));

/** The path of a program that an npm package brought. */
export const bin = (name: string): string => join(root, "node_modules", ".bin", name);

export type Ran = { readonly code: number; readonly output: string; readonly stdout: string };

export type RunOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Show the output as it comes instead of collecting it. */
  readonly show?: boolean;
};

/** Resolves with the exit code (a signal counts as 1); rejects only when the program cannot be started. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: [
        "ignore",
        options.show === true ? "inherit" : "pipe",
        options.show === true ? "inherit" : "pipe",
      ],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let output = "";
    let stdout = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output, stdout }));
  });
}
