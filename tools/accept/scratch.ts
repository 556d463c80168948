// A copy of the working tree in which sources may be broken on purpose.
//
// C1. The copy's `@greco/*` packages are the copy's own: the links in the real node_modules lead to the real
//     sources, and a test would run those, unbroken.
// C2. Everything else of node_modules is linked, not copied: it is half a gigabyte and nobody changes it.
// C3. The copy is the working tree as it was when it was made, with uncommitted and untracked files.
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync } from "node:fs";
import { rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { run } from "../lib/run.ts";

export type Scratch = { readonly folder: string } & AsyncDisposable;

async function workingTree(root: string): Promise<string[]> {
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
  });
  if (listed.code !== 0) throw new Error(`git ls-files failed: ${listed.output}`);
  return [...new Set(listed.stdout.split("\0"))].filter(
    (file) => file !== "" && existsSync(join(root, file)),
  );
}

function linkModules(root: string, folder: string): void {
  const real = join(root, "node_modules");
  const own = join(folder, "node_modules");
  mkdirSync(join(own, "@greco"), { recursive: true });
  for (const entry of readdirSync(real)) {
    // Caches lie under dotted names and hold the real tree's paths; .bin is the one dotted name that is needed.
    if (entry === "@greco" || (entry.startsWith(".") && entry !== ".bin")) continue;
    symlinkSync(join(real, entry), join(own, entry));
  }
  for (const name of readdirSync(join(real, "@greco"))) {
    const link = join(real, "@greco", name);
    if (!lstatSync(link).isSymbolicLink()) continue;
    const inTree = relative(root, resolve(dirname(link), readlinkSync(link)));
    symlinkSync(join(folder, inTree), join(own, "@greco", name));
    // C2: what npm could not hoist, because the root has another version of it, lies with the package.
    const nested = join(root, inTree, "node_modules");
    if (existsSync(nested)) symlinkSync(nested, join(folder, inTree, "node_modules"));
  }
}

/** Copies the working tree at `root` into a temporary folder, which goes when it is disposed. */
export async function makeScratch(root: string): Promise<Scratch> {
  const folder = mkdtempSync(join(tmpdir(), "greco-scratch-"));
  const remove = (): Promise<void> => Promise.resolve(rmSync(folder, { recursive: true, force: true }));
  try {
    for (const file of await workingTree(root)) cpSync(join(root, file), join(folder, file));
    linkModules(root, folder);
    return { folder, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
