// `npm test`: every check there is, one line each with its time, and `N passed, N failed` as the last line.
//
//   npm test                          everything
//   npm test -- --only lint           one step (repeatable): the names that a run prints, and `vitest`
//   npm test -- libs/domain -t "I7"   only vitest, with vitest's own filters
//   npm test -- --embedded-only       without the tests on real servers (etcd, NATS, Cassandra), which need Go,
//                                     Java 17 and Maven; combines with the others
//   npm run test:soak                 what takes too long for each time, and nothing else; with vitest's own filters
//
// A failing step does not hide the next: all run, then the summary. Each static step counts as one.
import { nearest } from "./lib/nearest.ts";
import { staticSteps, type Step, type StepResult } from "./test/steps.ts";
import { vitest, type Counts } from "./test/vitest.ts";

/** Two cores are what a small CI machine has; more at once only makes each slower. */
const STEPS_AT_ONCE = 2;

type Line = { readonly name: string; readonly result: StepResult; readonly seconds: number };

const seconds = (since: number): number => (performance.now() - since) / 1000;

function print(line: Line, output: string): void {
  console.log(`${line.result.padEnd(7)} ${line.name.padEnd(13)} ${line.seconds.toFixed(1).padStart(6)} s`);
  if (line.result !== "passed" && output.trim() !== "")
    console.log(output.trimEnd().replace(/^/gm, "        "));
}

async function runStatic(steps: readonly Step[]): Promise<Line[]> {
  const waiting = [...steps];
  const lines: Line[] = [];
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const start = performance.now();
      const { result, output } = await step.run();
      const line = { name: step.name, result, seconds: seconds(start) };
      print(line, output);
      lines.push(line);
    }
  };
  await Promise.all(Array.from({ length: STEPS_AT_ONCE }, worker));
  return lines;
}

const EMBEDDED_ONLY = "--embedded-only";
const SOAK = "--soak";

function parse(args: readonly string[]): { only: Set<string>; forVitest: string[] } {
  const only = new Set<string>();
  const forVitest: string[] = [];
  const names = [...staticSteps.map((step) => step.name), "vitest"];
  const soak = args.includes(SOAK);
  const rest = args.filter((arg) => arg !== EMBEDDED_ONLY && arg !== SOAK);
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg !== "--only") {
      forVitest.push(arg);
      continue;
    }
    const name = rest.shift() ?? "";
    if (!names.includes(name)) {
      console.error(
        `no step is named "${name}"; did you mean ${nearest(name, names) ?? ""}? All: ${names.join(", ")}`,
      );
      process.exit(2);
    }
    only.add(name);
  }
  if (soak || (only.size === 0 && forVitest.length > 0)) only.add("vitest");
  forVitest.push(soak ? "--project=soak" : "--project=!soak");
  if (args.includes(EMBEDDED_ONLY)) forVitest.push("--project=!engines");
  return { only, forVitest };
}

async function main(args: readonly string[]): Promise<number> {
  const { only, forVitest } = parse(args);
  const chosen = (name: string): boolean => only.size === 0 || only.has(name);
  const start = performance.now();
  const lines = await runStatic(staticSteps.filter((step) => chosen(step.name)));
  let tests: Counts = { passed: 0, failed: 0 };
  if (chosen("vitest")) {
    const vitestStart = performance.now();
    tests = await vitest(forVitest);
    print(
      { name: "vitest", result: tests.failed === 0 ? "passed" : "failed", seconds: seconds(vitestStart) },
      "",
    );
  }
  const of = (result: StepResult): number => lines.filter((line) => line.result === result).length;
  const failedSteps = lines.filter((line) => line.result === "failed").map((line) => line.name);
  if (failedSteps.length > 0) console.log(`failed steps: ${failedSteps.join(", ")}`);
  console.log(`all of it took ${seconds(start).toFixed(1)} s`);
  const failed = of("failed") + tests.failed;
  console.log(`${of("passed") + tests.passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
