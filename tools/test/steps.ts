// The static steps of `npm test`: each is one program, passes or fails as a whole, and changes nothing.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bin, root, run, type Ran } from "../lib/run.ts";

export type StepResult = "passed" | "failed" | "skipped";
export type Step = { readonly name: string; run(): Promise<{ result: StepResult; output: string }> };

const verdict = ({ code, output }: Ran): { result: StepResult; output: string } => ({
  result: code === 0 ? "passed" : "failed",
  output,
});

const program = (name: string, file: string, args: readonly string[]): Step => ({
  name,
  run: async () => verdict(await run(file, args, { env: { NX_DAEMON: "false", FORCE_COLOR: "0" } })),
});

/** The contract may not break what the last release promised; before the first release nothing is promised. */
async function bufBreaking(): Promise<{ result: StepResult; output: string }> {
  const described = await run("git", ["describe", "--tags", "--abbrev=0", "--match", "v*"]);
  if (described.code !== 0)
    return { result: "skipped", output: "no release tag v* yet, so nothing to break" };
  const tag = described.stdout.trim();
  mkdirSync(join(root, ".cache"), { recursive: true });
  const scratch = mkdtempSync(join(root, ".cache", "released-"));
  try {
    // An archive, because buf reads neither linked worktrees nor shallow clones as git input.
    const archive = join(scratch, "proto.tar");
    const packed = await run("git", ["archive", "--output", archive, tag, "proto", "buf.yaml"]);
    return packed.code === 0
      ? verdict(await run(bin("buf"), ["breaking", "--against", archive]))
      : verdict(packed);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export const staticSteps: readonly Step[] = [
  // The slow ones first: two run at a time.
  program("lint", bin("eslint"), [
    ".",
    "--max-warnings=0",
    "--cache",
    "--cache-location=.cache/eslint/",
    "--cache-strategy=content",
  ]),
  program("format", bin("prettier"), [
    ".",
    "--check",
    "--log-level=warn",
    "--cache",
    "--cache-location=.cache/prettier",
    "--cache-strategy=content",
  ]),
  program("types", bin("tsc"), ["--project", "tsconfig.json", "--pretty", "false"]),
  program("boundaries", bin("eslint"), ["--config", "eslint.boundaries.config.mjs", "--max-warnings=0", "."]),
  program("generated", process.execPath, ["tools/generate.ts", "--check"]),
  program("buf-lint", bin("buf"), ["lint"]),
  { name: "buf-breaking", run: bufBreaking },
];
