/** B-site: two data centres of Cassandra cut from each other; see sites-world.ts for what happens. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { cacheFolder } from "../../../../tools/servers/cache.ts";
import { cassandra } from "../../../../tools/servers/cassandra.ts";
import { nats } from "../../../../tools/servers/nats.ts";
import { createReaper } from "../../../../tools/servers/reaper.ts";

const TEST_MS = 1_800_000;
const CUT_MS = 60_000;

type Report = {
  readonly isCut: readonly boolean[];
  readonly leaked: readonly number[];
  readonly during: readonly number[];
  readonly acknowledged: readonly number[];
  readonly cutMs: number;
  readonly same: { readonly lanes: number; readonly rows: number };
  readonly published: { readonly lost: number; readonly duplicated: number };
  readonly checks: readonly Readonly<Record<string, unknown>>[];
};

/** What cutting needs of the machine. Throws with how to get it. */
function needTools(): void {
  if (process.getuid?.() !== 0)
    throw new Error("B-site makes a network namespace and filters packets in it: run it as root");
  for (const [program, from] of [
    ["ip", "iproute2"],
    ["iptables", "iptables"],
  ] as const)
    try {
      execFileSync(program, ["-V"], { stdio: "ignore" });
    } catch (error) {
      const how = `B-site needs ${program}, which cannot be run: apt-get install ${from}`;
      throw new Error(how, { cause: error });
    }
}

/** With nothing but its own loopback, removed at the end. */
function namespace(name: string): Disposable {
  execFileSync("ip", ["netns", "add", name]);
  execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  return { [Symbol.dispose]: () => void execFileSync("ip", ["netns", "del", name]) };
}

async function runIn(name: string, signal: AbortSignal): Promise<Report> {
  await using reaper = createReaper();
  const program = join(import.meta.dirname, "sites-world.ts");
  const child = spawn("ip", ["netns", "exec", name, process.execPath, program], {
    stdio: ["ignore", "pipe", "inherit"],
    signal,
  });
  reaper.watch(child.pid ?? 0);
  const exited = once(child, "exit");
  const said = await text(child.stdout);
  expect(await exited).toEqual([0, null]);
  return JSON.parse(said) as Report;
}

it(
  "I8, I9: sites that are cut from each other go on with their own lanes, and afterwards see the same sequences",
  async () => {
    needTools();
    const signal = AbortSignal.timeout(TEST_MS);
    // There is no way out of the namespace.
    const options = {
      cache: cacheFolder(),
      say: (line: string) => process.stderr.write(`${line}\n`),
      signal,
    };
    for (const engine of [cassandra, nats]) await engine.install(options);
    using _ = namespace(`greco-sites-${process.pid}`);
    const report = await runIn(`greco-sites-${process.pid}`, signal);
    console.log(JSON.stringify(report));
    expect(report.isCut).toEqual([true, true]);
    expect(report.leaked).toEqual([0, 0]);
    expect(report.cutMs).toBeGreaterThanOrEqual(CUT_MS);
    // Taken and paid while they were cut.
    for (const taken of report.during) expect(taken).toBeGreaterThan(300);
    expect(report.same.lanes).toBeGreaterThanOrEqual(8);
    expect(report.published).toEqual({ lost: 0, duplicated: 0 });
    const results = report.acknowledged.reduce((sum, each) => sum + each, 0);
    for (const check of report.checks)
      expect(check).toMatchObject({ lost: 0, duplicated: 0, misapplied: 0, mistakes: [], outputs: results });
  },
  TEST_MS,
);
