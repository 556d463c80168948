// Shows that each invariant's test would notice: in a scratch copy it passes, and with the invariant broken it fails.
//
// M1. A test that does not run proves nothing: unpatched, at least one test must run and all must pass.
// M2. Noticing is a failing assertion. A patch that no longer parses, loads or calls what exists is a broken patch.
// M3. An id without a patch fails: an invariant without a mutation is an invariant whose test nobody has tried.
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { bin, run } from "../lib/run.ts";
import type { Report } from "../test/vitest.ts";
import type { Check, CheckContext, Outcome } from "./check.ts";
import { parseMutation, type Mutation } from "./patch.ts";
import { makeScratch, type Scratch } from "./scratch.ts";

const BROKEN_LINES_MAX = 6;

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);

/** The invariants of the control plane, the rules of the runtime, and those of the kits. */
const invariants = [...numbered("I", 15), ...numbered("R", 9), ...numbered("K", 5)];

type TestRun = {
  readonly passed: number;
  readonly failures: readonly string[];
  readonly broken: string | undefined;
};

/** A test that hangs has noticed nothing by itself. Errors that tell of a patch that does not fit rather than of an invariant that does not hold. */
const notAnAssertion =
  /^(?:SyntaxError|ReferenceError|TypeError)\b|Failed to (?:load|resolve|parse)|ERR_MODULE|timed out in \d+ms/;

function summarize(report: Report, output: string): TestRun {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const failed = tests.filter((test) => test.status === "failed");
  const failures = failed.map((test) => `"${test.fullName}" fails: ${firstLine(test.failureMessages?.[0])}`);
  const unfit = failed
    .flatMap((test) => test.failureMessages ?? [])
    .find((message) => notAnAssertion.test(message));
  const unloadable = report.testResults.find((file) => file.status === "failed" && failed.length === 0);
  const broken = unfit ?? (unloadable === undefined ? undefined : (unloadable.message ?? output));
  const passed = tests.filter((test) => test.status === "passed").length;
  return { passed, failures, broken: broken === undefined ? undefined : head(broken) };
}

/** Enough of a foreign error to find the place; the rest is its stack. */
const head = (text: string): string =>
  stripVTControlCharacters(text).trim().split("\n").slice(0, BROKEN_LINES_MAX).join("\n");

const firstLine = (text: string | undefined): string => (text ?? "").split("\n")[0] ?? "";

async function runTest(folder: string, mutation: Mutation, signal: AbortSignal): Promise<TestRun> {
  const file = join(folder, "mutation-report.json");
  rmSync(file, { force: true });
  const title = mutation.title === undefined ? [] : ["-t", mutation.title];
  const args = ["run", mutation.testFile, ...title, "--reporter=json", `--outputFile.json=${file}`];
  const { output } = await run(bin("vitest"), args, { cwd: folder, signal });
  if (!existsSync(file)) return { passed: 0, failures: [], broken: `vitest gave no report:\n${output}` };
  return summarize(JSON.parse(readFileSync(file, "utf8")) as Report, output);
}

async function apply(folder: string, patch: string, reverse: boolean): Promise<string | undefined> {
  const args = ["apply", "--whitespace=nowarn", ...(reverse ? ["--reverse"] : []), patch];
  // A temporary folder may lie inside another repository, in which git would skip files outside of its own paths.
  const { code, output } = await run("git", args, {
    cwd: folder,
    env: { GIT_CEILING_DIRECTORIES: dirname(folder) },
  });
  return code === 0 ? undefined : output.trim();
}

async function tryMutation(
  root: string,
  folder: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const patch = join(root, "tools", "mutations", name);
  const mutation = parseMutation(name, readFileSync(patch, "utf8"));
  const fail = (why: string): Outcome => ({ figure: `${name}: ${why}`, pass: false });
  const before = await runTest(folder, mutation, signal);
  if (before.broken !== undefined) return fail(`unpatched, the test does not run: ${before.broken}`);
  if (before.failures.length > 0) return fail(`unpatched, ${before.failures.join("; ")}`);
  if (before.passed === 0) return fail(`no test matches ${mutation.testFile} -t ${mutation.title ?? ""}`);
  const refused = await apply(folder, patch, false);
  if (refused !== undefined) return fail(`the patch does not apply: ${refused}`);
  const after = await runTest(folder, mutation, signal).finally(() => takeBack(folder, patch));
  if (after.broken !== undefined)
    return fail(`the patch breaks the code, not the invariant: ${after.broken}`);
  if (after.failures.length === 0)
    return fail(`not noticed: ${after.passed} still pass (${mutation.breaks})`);
  const seen = `unpatched ${before.passed} pass; broken (${mutation.breaks}): ${after.failures.join("; ")}`;
  return { figure: `${name}: ${seen}`, pass: true };
}

async function takeBack(folder: string, patch: string): Promise<void> {
  const refused = await apply(folder, patch, true);
  if (refused !== undefined) throw new Error(`${patch} cannot be taken back: ${refused}`);
}

function patchesOf(root: string, id: string): string[] {
  const folder = join(root, "tools", "mutations");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.startsWith(`${id}.`) && file.endsWith(".patch"))
    .toSorted();
}

/** One check an invariant; the scratch copy is made on first use, shared by all, and goes with the result. */
export function mutationChecks(root: string): { readonly checks: readonly Check[] } & AsyncDisposable {
  let scratch: Promise<Scratch> | undefined;
  const runCheck = async (id: string, { signal }: CheckContext): Promise<Outcome> => {
    const patches = patchesOf(root, id);
    if (patches.length === 0) return { figure: `no patch tools/mutations/${id}.*.patch`, pass: false };
    const { folder } = await (scratch ??= makeScratch(root));
    const outcomes: Outcome[] = [];
    for (const name of patches) outcomes.push(await tryMutation(root, folder, name, signal));
    return {
      figure: outcomes.map((outcome) => outcome.figure).join(" | "),
      pass: outcomes.every((outcome) => outcome.pass),
    };
  };
  return {
    checks: invariants.map((id) => ({
      id: `A-${id}`,
      title: `the tests of ${id} fail when it is broken (tools/mutations/${id}.*.patch)`,
      run: (context) => runCheck(id, context),
    })),
    [Symbol.asyncDispose]: async () => {
      await (await scratch?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
