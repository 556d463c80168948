// The repository's own rules, as tests: what no linter looks at and what fails first on somebody else's machine.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";

const root = dirname(import.meta.dirname);

type Manifest = {
  readonly name?: string;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[] };
};

const readJson = <T>(file: string): T => JSON.parse(readFileSync(join(root, file), "utf8")) as T;
const rootManifest = readJson<Manifest>("package.json");

const packages = ["apps", "libs", "libs/adapters", "libs/sdk"]
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
  .filter((folder) => existsSync(join(root, folder, "package.json")))
  .map((folder) => ({ folder, manifest: readJson<Manifest>(`${folder}/package.json`) }));

const lockText = readFileSync(join(root, "package-lock.json"), "utf8");
const locked = (JSON.parse(lockText) as { packages: Record<string, Manifest> }).packages;

/** `node:fs` → undefined, `ajv/dist/x.js` → `ajv`, `@greco/domain/lane` → `@greco/domain`, `./x.ts` → undefined. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:") || builtinModules.includes(specifier))
    return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function importsOf(folder: string): Set<string> {
  const files = readdirSync(join(root, folder, "src"), { recursive: true, encoding: "utf8" });
  const found = new Set<string>();
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const text = readFileSync(join(root, folder, "src", file), "utf8");
    for (const [, specifier = ""] of text.matchAll(/^(?:import|export)\s(?:[^;"]*?\sfrom\s)?"([^"]+)";$/gm)) {
      const name = packageOf(specifier);
      if (name !== undefined) found.add(name);
    }
  }
  return found;
}

it("lists in each package.json what the package imports", () => {
  const missing = packages.flatMap(({ folder, manifest }) =>
    [...importsOf(folder)]
      .filter((name) => name !== manifest.name)
      .filter(
        (name) =>
          !(
            name in { ...manifest.dependencies, ...manifest.devDependencies, ...rootManifest.devDependencies }
          ),
      )
      .map((name) => `${folder}/package.json lacks ${name}`),
  );
  expect(missing).toEqual([]);
});

it("has every package in the lockfile with its dependencies, or `npm ci` fails in a clone (npm run relock)", () => {
  const stale = packages
    .filter(({ folder, manifest }) => {
      const { dependencies = {}, devDependencies = {} } = locked[folder] ?? {};
      const sorted = (record: object): string => JSON.stringify(Object.entries(record).toSorted());
      return (
        locked[folder] === undefined ||
        sorted(dependencies) !== sorted(manifest.dependencies ?? {}) ||
        sorted(devDependencies) !== sorted(manifest.devDependencies ?? {})
      );
    })
    .map(({ folder }) => folder);
  expect(stale).toEqual([]);
});

it("names no registry in the lockfile, so that any mirror serves a clone", () => {
  const hosts = Object.values(locked).filter((entry) => entry.link !== true && entry.resolved !== undefined);
  expect(hosts).toEqual([]);
});

it("pins exact versions", () => {
  const manifests = [{ folder: ".", manifest: rootManifest }, ...packages];
  const loose = manifests.flatMap(({ folder, manifest }) =>
    Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    })
      .filter(([name, version]) => !name.startsWith("@greco/") && !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => `${folder}: ${name}@${version}`),
  );
  expect(loose).toEqual([]);
});

it("gives each package exactly one type tag, which the module boundaries go by", () => {
  const untagged = packages
    .filter(({ manifest }) => manifest.nx?.tags?.filter((tag) => tag.startsWith("type:")).length !== 1)
    .map(({ folder }) => folder);
  expect(untagged).toEqual([]);
});
