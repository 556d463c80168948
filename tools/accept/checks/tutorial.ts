import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Check, CheckContext, Outcome } from "../check.ts";
import { background, end, firstMissing, paste } from "../terminals.ts";
import { stepsOf } from "../tutorial.ts";

/** The alarm after the marker is the one of the reading after the marker: nothing is told by version 1 behind it. */
export function switchOf(outputs: readonly string[]): { marker: number; first: number } | undefined {
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
  const dev = await background(folder, first, (output) => output.includes("Greco serves"), signal);
  let outputs: string[];
  const began = performance.now();
  try {
    outputs = await paste(folder, rest, signal);
  } finally {
    await end(dev);
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  const missing = firstMissing(rest, outputs);
  if (missing !== undefined) {
    say(missing.whole);
    return { figure: `step ${missing.step + 2} does not show ${JSON.stringify(missing.line)}`, pass: false };
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
