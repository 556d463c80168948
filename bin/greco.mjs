#!/usr/bin/env node
// `greco`: starts the command line with the Node that the project pins, whatever Node is on the PATH.
//
// Plain JavaScript that Node 20 runs. `dev` starts every service in one process (apps/dev), every other verb
// is a client's (apps/cli). Signals and the exit code pass through, so supervisors see one process's behaviour.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MIN = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function pinnedNode() {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const node = join(dirname(manifest), "bin", "node");
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined; // Not a platform with a pinned Node, or nothing is installed yet.
  }
}

function chooseNode() {
  const pinned = pinnedNode();
  if (pinned !== undefined) return pinned;
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) return process.execPath;
  process.stderr.write(
    `greco: Node ${NODE_MAJOR_MIN} or newer is needed, this is ${process.version}. ` +
      `Run \`npm run setup\` in ${root}, or install a newer Node.\n`,
  );
  process.exit(1);
}

const args = process.argv.slice(2);
const main = join(root, "apps", args[0] === "dev" ? "dev" : "cli", "src", "main.ts");
const rest = args[0] === "dev" ? args.slice(1) : args;
// node:sqlite and type stripping still announce themselves as experimental; a user cannot act on that.
// Without the second flag V8 keeps some 60 MiB of garbage of a large model (docs/decisions/0050-registry.md).
const flags = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=8"];
const child = spawn(chooseNode(), [...flags, main, ...rest], {
  stdio: "inherit",
  // Half the time of a short command is compiling; a folder that cannot be written only costs that time.
  env: { NODE_COMPILE_CACHE: join(root, ".cache", "node"), ...process.env },
});

// The terminal sends Ctrl-C to the whole group, so the child has it already; this process only must not die first.
const forwarded = ["SIGTERM", "SIGHUP", "SIGUSR2"];
for (const signal of forwarded) process.on(signal, () => child.kill(signal));
process.on("SIGINT", () => {
  if (!process.stdin.isTTY) child.kill("SIGINT");
});
process.on("SIGQUIT", () => {
  if (!process.stdin.isTTY) child.kill("SIGQUIT");
});

child.on("error", (error) => {
  process.stderr.write(`greco: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
});
