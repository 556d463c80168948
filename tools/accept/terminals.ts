// A person's terminals for the tutorials: bash, in which what is pasted is read line by line, so that an alias counts at
// once.
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { missingLine, type Step } from "./tutorial.ts";

const START_MS = 120_000;
const LOOK_MS = 100;
const STEP = "@@step ";

let terminals = 0;

async function terminal(folder: string, commands: string, signal: AbortSignal): Promise<ChildProcess> {
  terminals += 1;
  const script = join(folder, `terminal-${terminals}.sh`);
  await writeFile(script, `exec 2>&1\n${commands}`);
  return spawn("bash", ["-O", "expand_aliases", script], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
    signal,
    // Its own group: what is started in it ends together.
    detached: true,
  });
}

export function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  process.kill(-child.pid, "SIGINT");
  return ended;
}

/** What a step starts and leaves running; resolves when it serves, as its output, or something else, shows. */
export async function background(
  folder: string,
  step: Step,
  serves: (output: string) => boolean | Promise<boolean>,
  signal: AbortSignal,
): Promise<ChildProcess> {
  const child = await terminal(folder, step.commands, signal);
  let output = "";
  let ended: string | undefined;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.once("error", (error) => (ended = error.message));
  child.once("close", (code) => (ended = `code ${code}`));
  const late = AbortSignal.timeout(START_MS);
  while (!(await serves(output))) {
    if (ended !== undefined) throw new Error(`${step.commands}ended with ${ended}: ${output}`);
    if (late.aborted || signal.aborted) {
      await end(child);
      signal.throwIfAborted();
      throw new Error(`${step.commands}does not serve: ${output}`);
    }
    await pause(LOOK_MS);
  }
  return child;
}

/** All steps in one terminal; what each showed. */
export async function paste(folder: string, steps: readonly Step[], signal: AbortSignal): Promise<string[]> {
  const pasted = steps.map(({ commands }) => `echo "${STEP}"\n${commands}`).join("");
  const child = await terminal(folder, pasted, signal);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  return output.split(new RegExp(`^${STEP}\n`, "m")).slice(1);
}

export type Missing = { readonly step: number; readonly line: string; readonly whole: string };

/** The first step that did not show what the page says. */
export function firstMissing(steps: readonly Step[], outputs: readonly string[]): Missing | undefined {
  for (const [step, { commands, shown }] of steps.entries()) {
    const output = outputs[step] ?? "";
    const line = missingLine(shown, output);
    if (line !== undefined) return { step, line, whole: `${commands}${output}` };
  }
  return undefined;
}
