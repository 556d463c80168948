// `npm run accept -- [ID…]`: shows the acceptance checks by running them, all when none is named.
//
// Each prints its id, what was seen, and pass or fail; the exit code is 1 when any fails. `--list` only names them.
import { join } from "node:path";
import { UnknownId, discover, select } from "../lib/discover.ts";
import { root } from "../lib/run.ts";
import type { Check, CheckContext, Outcome } from "./check.ts";
import type { Bench } from "../bench/bench.ts";
import { mutationChecks } from "./mutations.ts";

async function outcomeOf(check: Check, context: CheckContext): Promise<Outcome> {
  try {
    return await check.run(context);
  } catch (error) {
    return { figure: error instanceof Error ? (error.stack ?? error.message) : String(error), pass: false };
  }
}

/** A figure that must be reached is shown by its benchmark. */
const figureCheck = ({ id, title, limit, run }: Bench): Check => ({ id, title: `${title}: ${limit}`, run });

/** What must be shown. One that nothing shows is a failed check, not an absent one. */
const REQUIRED = [
  ...["main", "compare", "other", "roles", "confirm", "join", "takeover", "hops", "tutorial", "contract"],
  ...["kill", "bad", "fresh", "commit", "size", "memory", "epoch", "gap"],
].map((name) => `A-${name}`);

/** The same on real engines, which benchmarks show. */
const REQUIRED_FIGURES = ["commit", "unary", "batch", "append", "read", "switch", "watchers"].map(
  (name) => `B-${name}`,
);

const missing = (found: readonly Check[]): Check[] =>
  [...REQUIRED, ...REQUIRED_FIGURES]
    .filter((id) => !found.some((check) => check.id === id))
    .map((id) => ({
      id,
      title: "nothing shows it yet",
      run: () => Promise.resolve({ figure: "there is no check of this id", pass: false }),
    }));

async function main(args: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  const known = await discover<Check>(join(import.meta.dirname, "checks"), "check");
  const benches = await discover<Bench>(join(root, "tools/bench/benches"), "bench");
  const figures = benches.filter(({ id }) => /^[AB]-/.test(id)).map(figureCheck);
  await using mutations = mutationChecks(root);
  const found = [...known, ...figures, ...mutations.checks];
  const all = [...found, ...missing(found)];
  if (args.includes("--list")) {
    for (const check of all) console.log(`${check.id.padEnd(12)} ${check.title}`);
    return 0;
  }
  const chosen = select(all, args);
  const context: CheckContext = {
    root,
    signal: interrupted.signal,
    say: (line) => process.stderr.write(`  ${line}\n`),
  };
  const failed: string[] = [];
  for (const check of chosen) {
    if (interrupted.signal.aborted) break;
    const start = performance.now();
    const { figure, pass } = await outcomeOf(check, context);
    const took = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    console.log(`${check.id}  ${figure}  ${pass ? "pass" : "fail"}  (${took})`);
    if (!pass) failed.push(check.id);
  }
  if (failed.length > 0) console.log(`failed: ${failed.join(" ")}`);
  return failed.length === 0 && !interrupted.signal.aborted ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UnknownId)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
