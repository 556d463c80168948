// Servers that come from PyPI: each in a virtual environment of its own, so that nothing of the machine's Python changes.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../lib/run.ts";
import { exists, locked, needProgram } from "./cache.ts";
import type { InstallOptions, StartOptions } from "./engine.ts";

export type PythonServer = {
  readonly name: string;
  readonly version: string;
  /** What pip is asked for; an exact version. */
  readonly requirement: string;
  /** "90 MB, ten seconds". */
  readonly cost: string;
};

const folderOf = (cache: string, { name, version }: PythonServer): string =>
  join(cache, `${name}-${version}`);

/**
 * To be called with `-m MODULE`: the scripts beside it name their interpreter in their first line, which the system
 * cuts at 127 bytes.
 */
export const pythonOf = (cache: string, server: PythonServer): string =>
  join(folderOf(cache, server), "bin", "python");

/** Written last. An environment has its own path in it, so it is made in place and cannot be renamed when it is whole. */
const markerOf = (cache: string, server: PythonServer): string => join(folderOf(cache, server), "installed");

const PROBE = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

async function build(server: PythonServer, { cache, say, signal }: InstallOptions): Promise<void> {
  const { name, version, requirement, cost } = server;
  await needProgram(
    name,
    ["python3", "-c", PROBE],
    "install Python 3.10 or newer with its venv module (Debian, Ubuntu: apt-get install python3-venv)",
  );
  say(`installing ${name} ${version} from PyPI (${cost}, once)`);
  const folder = folderOf(cache, server);
  // What a process left that was ended meanwhile.
  await rm(folder, { recursive: true, force: true });
  for (const [program, args] of [
    ["python3", ["-m", "venv", folder]],
    [pythonOf(cache, server), ["-m", "pip", "install", "--quiet", requirement]],
  ] as const) {
    const ran = await run(program, args, { signal });
    if (ran.code !== 0) throw new Error(`${name} ${version} could not be installed:\n${ran.output.trim()}`);
  }
  await writeFile(markerOf(cache, server), "");
}

export async function installPython(server: PythonServer, options: InstallOptions): Promise<void> {
  await locked(server.name, options, async () => {
    if (!(await exists(markerOf(options.cache, server)))) await build(server, options);
  });
}

/** They keep everything in one process: a cluster of them is no cluster. */
export function needOneNode({ name }: PythonServer, { nodes }: StartOptions): void {
  if (nodes !== 1) throw new Error(`${name} is one process: ask for 1 node, not ${nodes}`);
}
