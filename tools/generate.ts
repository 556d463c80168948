// Generates libs/contracts/src/gen from proto/ (`npm run generate`), or with --check says what differs.
//
// Generated aside and then copied over file by file, so that whoever runs the sources meanwhile never sees an
// empty folder, and unchanged files keep their times (caches stay warm).
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = dirname(import.meta.dirname);
const target = join(root, "libs/contracts/src/gen");

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function generateInto(scratch: string): string {
  // buf writes below --output, at the path that buf.gen.yaml names.
  execFileSync(join(root, "node_modules/.bin/buf"), ["generate", "--output", scratch], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return join(scratch, relative(root, target));
}

function differences(fresh: string): { changed: string[]; gone: string[] } {
  const wanted = filesIn(fresh);
  const changed = wanted.filter((file) => {
    const present = join(target, file);
    return !existsSync(present) || !readFileSync(present).equals(readFileSync(join(fresh, file)));
  });
  return { changed, gone: filesIn(target).filter((file) => !wanted.includes(file)) };
}

function main(check: boolean): number {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const scratch = mkdtempSync(join(root, ".cache", "generate-"));
  try {
    const fresh = generateInto(scratch);
    const { changed, gone } = differences(fresh);
    for (const file of changed) console.log(`${check ? "differs" : "written"}: ${file}`);
    for (const file of gone) console.log(`${check ? "no longer generated" : "removed"}: ${file}`);
    if (check) return changed.length + gone.length === 0 ? 0 : 1;
    for (const file of changed) cpSync(join(fresh, file), join(target, file), { recursive: true });
    for (const file of gone) rmSync(join(target, file));
    return 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv.includes("--check"));
