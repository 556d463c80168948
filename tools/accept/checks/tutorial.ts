import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Check, CheckContext, Outcome } from "../check.ts";
import { missingLine, type Step, stepsOf } from "../tutorial.ts";

const START_MS = 60_000;
const STEP = "@@step ";

/** A terminal in the folder: bash, in which what is pasted is read line by line, so that an alias counts at once. */
function terminal(folder: string, script: string, signal: AbortSignal): ChildProcess {
  return spawn("bash", ["-O", "expand_aliases", script], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
    signal,
    // Its own group: `greco dev` and what it starts end together.
    detached: true,
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  process.kill(-child.pid, "SIGINT");
  return ended;
}

const withStderr = (commands: string): string => `exec 2>&1\n${commands}`;

async function startDev(folder: string, step: Step, signal: AbortSignal): Promise<ChildProcess> {
  const script = join(folder, "first-terminal.sh");
  await writeFile(script, withStderr(step.commands));
  const child = terminal(folder, script, signal);
  let output = "";
  const { promise: serves, resolve, reject } = Promise.withResolvers<void>();
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.includes("Greco serves")) resolve();
  });
  child.once("error", reject);
  child.once("close", (code) => reject(new Error(`greco dev ended with ${code}: ${output}`)));
  const late = AbortSignal.timeout(START_MS);
  late.addEventListener("abort", () => reject(new Error(`greco dev does not start: ${output}`)));
  try {
    await serves;
  } catch (error) {
    await end(child);
    throw error;
  }
  return child;
}

/** All steps in one terminal; what each showed. */
async function paste(folder: string, steps: readonly Step[], signal: AbortSignal): Promise<string[]> {
  const script = join(folder, "second-terminal.sh");
  const pasted = steps.map(({ commands }) => `echo "${STEP}"\n${commands}`).join("");
  await writeFile(script, withStderr(pasted));
  const child = terminal(folder, script, signal);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  return output.split(new RegExp(`^${STEP}\n`, "m")).slice(1);
}

/** The alarm after the marker is the one of the reading after the marker: nothing is told by version 1 behind it. */
function switchOf(outputs: readonly string[]): { marker: number; first: number } | undefined {
  const text = outputs.join("\n");
  const marker = /── readings\.\S+?:(\d+) +epoch 2 from here on/.exec(text)?.[1];
  const first = /alarms\.\S+ +epoch 2 .*← readings\.\S+?:(\d+)/.exec(text)?.[1];
  return marker === undefined || first === undefined
    ? undefined
    : { marker: Number(marker), first: Number(first) };
}

async function run({ root, signal, say }: CheckContext, folder: string): Promise<Outcome> {
  // As in a clone: `$PWD/bin/greco.mjs` is the launcher.
  await symlink(join(root, "bin"), join(folder, "bin"));
  const [first, ...rest] = stepsOf(await readFile(join(root, "README.md"), "utf8"));
  if (first === undefined) return { figure: "README.md has no tutorial", pass: false };
  const dev = await startDev(folder, first, signal);
  let outputs: string[];
  const began = performance.now();
  try {
    outputs = await paste(folder, rest, signal);
  } finally {
    await end(dev);
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  for (const [index, { commands, shown }] of rest.entries()) {
    const output = outputs[index] ?? "";
    const missing = missingLine(shown, output);
    if (missing === undefined) continue;
    say(`${commands}${output}`);
    return { figure: `step ${index + 2} does not show ${JSON.stringify(missing)}`, pass: false };
  }
  const switched = switchOf(outputs);
  const exact = switched !== undefined && switched.first === switched.marker + 1;
  const lines = rest.reduce((sum, { shown }) => sum + shown.filter((line) => line !== "…").length, 0);
  const left = existsSync(join(folder, ".greco/tutorial/connection.json")) ? "" : ", but no data was kept";
  return {
    figure: `${rest.length + 1} steps in ${seconds} s, ${lines} promised lines seen, marker at ${switched?.marker}, first alarm of version 2 from reading ${switched?.first}${left}`,
    pass: exact && left === "",
  };
}

export const check: Check = {
  id: "A-tutorial",
  title:
    "the README's five minutes, pasted as they stand: own stream, own query, made so, switched, rolled back",
  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), "greco-tutorial-"));
    try {
      return await run(context, folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
