// Runs vitest and counts from its JSON report, because its exit code alone cannot tell how many failed.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bin, root, run } from "../lib/run.ts";

export type Report = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
};

export type Counts = { readonly passed: number; readonly failed: number };

/** A file that cannot be loaded has no failed test, and an error outside of tests only shows in the exit code. */
export function count(report: Report, exitCode: number): Counts {
  const unloadable = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  const failed = report.numFailedTests + unloadable;
  return { passed: report.numPassedTests, failed: exitCode !== 0 && failed === 0 ? 1 : failed };
}

/** Runs the tests that `args` (vitest's own filters and flags) select. */
export async function vitest(args: readonly string[]): Promise<Counts> {
  const file = join(root, ".cache", "vitest-report.json");
  mkdirSync(join(root, ".cache"), { recursive: true });
  rmSync(file, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  // For the many processes that tests start; one that is killed keeps nothing, so the biggest is run to its end first.
  const env = { NODE_COMPILE_CACHE: join(root, ".cache", "node") };
  await run(process.execPath, [join(root, "apps/dev/src/main.ts"), "--help"], { env });
  const { code } = await run(bin("vitest"), ["run", ...reporters, ...args], { show: true, env });
  if (!existsSync(file)) return { passed: 0, failed: 1 };
  return count(JSON.parse(readFileSync(file, "utf8")) as Report, code);
}
