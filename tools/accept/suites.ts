// Checks that are a suite of the tests: run by its file, passed when all of it passed and none was skipped.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../lib/run.ts";
import type { Check } from "./check.ts";

type VitestReport = {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      /** What a test measured: `task.meta.figure`; what is too long for a figure, as Markdown: `task.meta.table`. */
      readonly meta?: { readonly figure?: string; readonly table?: string };
    }[];
  }[];
};

export function suiteCheck(id: string, title: string, files: readonly string[]): Check {
  return {
    id,
    title,
    async run(context) {
      const dir = await mkdtemp(join(tmpdir(), "greco-accept-"));
      try {
        const report = join(dir, "report.json");
        const vitest = join(context.root, "node_modules/vitest/vitest.mjs");
        const result = await run(
          process.execPath,
          [vitest, "run", ...files, "--reporter=json", `--outputFile.json=${report}`],
          { cwd: context.root, signal: context.signal },
        );
        const found = JSON.parse(await readFile(report, "utf8")) as VitestReport;
        const failed = found.testResults.flatMap((file) =>
          file.assertionResults.filter((each) => each.status !== "passed").map((each) => each.fullName),
        );
        const pass =
          result.code === 0 && found.numTotalTests > 0 && found.numPassedTests === found.numTotalTests;
        const first = failed[0] === undefined ? "" : `; not passed: ${failed.slice(0, 3).join(" | ")}`;
        const figures = found.testResults.flatMap((file) =>
          file.assertionResults.flatMap(({ meta }) =>
            meta?.figure === undefined ? [] : [`; ${meta.figure}`],
          ),
        );
        for (const { assertionResults } of found.testResults)
          for (const { meta } of assertionResults)
            for (const line of meta?.table?.split("\n") ?? []) context.say(line);
        const passed = `${found.numPassedTests} of ${found.numTotalTests} tests passed`;
        return { figure: `${passed}${figures.join("")}${first}`, pass };
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}
