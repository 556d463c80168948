import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Check, CheckContext, Outcome } from "../check.ts";
import { background, end, firstMissing, paste } from "../terminals.ts";
import { stepsOf } from "../tutorial.ts";
import { switchOf } from "./tutorial.ts";

/** What a clone has, as far as the page needs it. */
const CLONE = ["bin", "package.json", "package-lock.json", "node_modules", "tools"] as const;

async function hasAddress(folder: string): Promise<boolean> {
  const said = await readFile(join(folder, ".greco/stand-in.env"), "utf8").catch(() => "");
  return said.includes("export GRECO_MINISTACK=");
}

async function run({ root, signal, say }: CheckContext, folder: string): Promise<Outcome> {
  for (const name of CLONE) await symlink(join(root, name), join(folder, name));
  const page = await readFile(join(root, "docs/lambda.md"), "utf8");
  const [standIn, dev, ...tutorial] = stepsOf(page);
  if (standIn === undefined || dev === undefined) return { figure: "no tutorial", pass: false };
  // In the same terminal, as whoever follows the page has it.
  const steps = [...tutorial, ...stepsOf(page, "veto")];
  await using stack = new AsyncDisposableStack();
  const first = await background(folder, standIn, () => hasAddress(folder), signal);
  stack.defer(() => end(first));
  const second = await background(folder, dev, (output) => output.includes("Greco serves"), signal);
  stack.defer(() => end(second));
  const outputs = await paste(folder, steps, signal);
  const missing = firstMissing(steps, outputs);
  if (missing !== undefined) {
    say(missing.whole);
    return { figure: `step ${missing.step + 3} does not show ${JSON.stringify(missing.line)}`, pass: false };
  }
  const switched = switchOf(outputs);
  const lines = steps.reduce((sum, { shown }) => sum + shown.filter((line) => line !== "…").length, 0);
  return {
    figure: `${steps.length + 2} steps, ${lines} promised lines seen, marker at ${switched?.marker}, first alarm of version 2 from reading ${switched?.first}`,
    pass: switched !== undefined && switched.first === switched.marker + 1,
  };
}

export const check: Check = {
  id: "C-doc",
  title: "docs/lambda.md, pasted as it stands: a query on Lambda from zero to a switched epoch, and a veto",
  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), "greco-lambda-doc-"));
    try {
      return await run(context, folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
