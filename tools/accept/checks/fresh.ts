import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { run } from "../../lib/run.ts";
import type { Check } from "../check.ts";

export const check: Check = {
  id: "A-fresh",
  title: "both commands of the README on a clean clone, started by the machine's own Node",
  async run(context) {
    const dir = await mkdtemp(join(tmpdir(), "greco-fresh-"));
    try {
      const clone = join(dir, "greco");
      const cloned = await run("git", ["clone", "--quiet", context.root, clone], { signal: context.signal });
      if (cloned.code !== 0) return { figure: cloned.output, pass: false };
      // Nothing of this checkout may help: not its Node, not its caches.
      const path = (process.env["PATH"] ?? "")
        .split(delimiter)
        .filter((each) => !each.includes("node_modules"))
        .join(delimiter);
      const cache = join(dir, "cache");
      const env = { PATH: path, XDG_CACHE_HOME: cache, GRECO_CACHE: join(cache, "greco"), GRECO_DATA: "" };
      const node = (await run("node", ["--version"], { env, signal: context.signal })).stdout.trim();
      context.say(`npm start in ${clone}, Node ${node}`);
      const started = await run("npm", ["start", "-s", "--", "--once", "--json"], {
        cwd: clone,
        env,
        signal: context.signal,
      });
      const last = started.stdout.trimEnd().split("\n").at(-1) ?? "";
      const green =
        started.code === 0 && last.startsWith("{") && (JSON.parse(last) as { lost: number }).lost === 0;
      if (!green)
        return { figure: `npm start ended with ${started.code}: ${started.output.slice(-400)}`, pass: false };
      context.say("npm test");
      const tested = await run("npm", ["test"], { cwd: clone, env, signal: context.signal });
      const line = /(\d+) passed, (\d+) failed/.exec(tested.stdout.trimEnd().split("\n").at(-1) ?? "");
      const pass = tested.code === 0 && line !== null && line[2] === "0" && !node.startsWith("v24");
      // Without its colours; each failed test is named once there.
      const failed = new Set(stripVTControlCharacters(tested.output).match(/^ *(FAIL|failed) .*$/gm));
      const said = [line?.[0] ?? tested.output.slice(-400), ...failed].join("\n");
      return { figure: `Node ${node}: npm start green; npm test: ${said}`, pass };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};
