// Copies packages with all that they depend on out of node_modules, each to the same place below the target.
import { existsSync, readFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { root } from "../lib/run.ts";

type Manifest = {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

/** Returns the exact versions of `names`, for a package.json. */
export async function copyPackages(
  names: ReadonlySet<string>,
  out: string,
): Promise<Readonly<Record<string, string>>> {
  const folders = new Map<string, Manifest>();
  const take = (name: string, from: string, optional: boolean): Manifest | undefined => {
    const folder = find(name, from);
    if (folder === undefined) {
      if (optional) return undefined;
      throw new Error(`${name} is not installed: run npm run setup`);
    }
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
    folders.set(folder, manifest);
    // Types are for compilers.
    for (const each of Object.keys(manifest.dependencies ?? {}).filter((name) => !name.startsWith("@types/")))
      take(each, folder, false);
    for (const each of Object.keys(manifest.optionalDependencies ?? {})) take(each, folder, true);
    return manifest;
  };
  const versions = [...names].toSorted().map((name) => [name, take(name, root, false)?.version ?? ""]);
  for (const folder of folders.keys())
    await cp(folder, join(out, relative(root, folder)), {
      recursive: true,
      // Nested packages are copied by themselves, if they are needed.
      filter: (path) => path === folder || basename(path) !== "node_modules",
    });
  return Object.fromEntries(versions) as Record<string, string>;
}

/** As Node looks for it: in each node_modules from `from` up to the root. */
function find(name: string, from: string): string | undefined {
  for (let folder = from; folder.startsWith(root); folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return candidate;
  }
  return undefined;
}
