// `npm run bench -- [ID…] [--out FILE.json]`: runs the benchmarks, all when none is named, and prints a table.
//
// The exit code is 1 when a limit is not met. `--list` only names them.
import { writeFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UnknownId, discover, select } from "../lib/discover.ts";
import { root } from "../lib/run.ts";
import type { Bench, BenchContext, Measured } from "./bench.ts";

type Result = Measured & { readonly id: string; readonly title: string; readonly limit: string };

async function measured(bench: Bench, context: BenchContext): Promise<Measured> {
  try {
    return await bench.run(context);
  } catch (error) {
    return { figure: error instanceof Error ? (error.stack ?? error.message) : String(error), pass: false };
  }
}

function table(results: readonly Result[]): string {
  const rows = results.map(({ id, title, limit, figure, pass }) => [
    id,
    title,
    figure,
    limit,
    pass ? "pass" : "fail",
  ]);
  const head = ["id", "what", "measured", "limit", "result"];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function record(file: string, results: readonly Result[]): void {
  const machine = { node: process.version, platform: platform(), arch: arch(), cpus: cpus().length };
  writeFileSync(file, `${JSON.stringify({ machine, cpu: cpus()[0]?.model, results }, null, 2)}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { out: { type: "string" }, list: { type: "boolean", default: false } },
  });
  const known = await discover<Bench>(join(import.meta.dirname, "benches"), "bench");
  if (values.list) {
    for (const bench of known) console.log(`${bench.id.padEnd(12)} ${bench.title}: ${bench.limit}`);
    return 0;
  }
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  const context: BenchContext = {
    root,
    signal: interrupted.signal,
    say: (line) => process.stderr.write(`  ${line}\n`),
  };
  const results: Result[] = [];
  for (const bench of select(known, positionals)) {
    if (interrupted.signal.aborted) break;
    context.say(`${bench.id}: ${bench.title}`);
    const { id, title, limit } = bench;
    results.push({ id, title, limit, ...(await measured(bench, context)) });
  }
  console.log(table(results));
  if (values.out !== undefined) record(values.out, results);
  return results.every((result) => result.pass) && !interrupted.signal.aborted ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UnknownId)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
