// Builds an app into a folder that runs by itself, wherever it is put:
//
//   npx nx build registry        or        node tools/build.ts registry [--out DIR]
//
// dist/registry/ then has main.js, one bundle for each worker thread, a package.json of what stays outside of the
// bundles with its exact versions, and those packages. Nothing is fetched: they are copied from node_modules.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundle } from "./build/bundle.ts";
import { copyPackages } from "./build/packages.ts";
import { nearest } from "./lib/nearest.ts";
import { root } from "./lib/run.ts";

const USAGE = "node tools/build.ts APP [--out DIR]   (default: dist/APP)";

type Manifest = { readonly version: string; readonly license: string; readonly nodeOptions?: string };

/** Flags that an app is to be started with. */
const NODE_FLAGS: Readonly<Record<string, string>> = {
  // Keeps V8's young generation small: by itself it grows to some 60 MiB of garbage beside the model.
  registry: "--max-semi-space-size=8 ",
};

function apps(): string[] {
  return readdirSync(join(root, "apps")).filter((app) => existsSync(join(root, "apps", app, "src/main.ts")));
}

async function build(app: string, out: string): Promise<void> {
  // Made beside the folder and put in its place when it is whole: a build that fails leaves the last one.
  const making = `${out}.${process.pid}`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  try {
    const { external } = await bundle(join(root, "apps", app, "src/main.ts"), making);
    const dependencies = await copyPackages(external, making);
    const { version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
    const manifest = {
      ...{ name: `greco-${app}`, version, license, private: true, type: "module" },
      engines: { node: ">=24" },
      scripts: { start: `node ${NODE_FLAGS[app] ?? ""}main.js` },
      dependencies,
    };
    await writeFile(join(making, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    await rm(out, { recursive: true, force: true });
    await rename(making, out);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: "string" } } });
const [app] = positionals;
if (app === undefined || positionals.length > 1 || !apps().includes(app)) {
  const meant = app === undefined ? undefined : nearest(app, apps());
  process.stderr.write(
    `${app === undefined ? "which app?" : `no app ${app}; did you mean ${meant}?`} All: ${apps().join(", ")}\n${USAGE}\n`,
  );
  process.exit(2);
}
await build(app, resolve(root, values.out ?? join("dist", app)));
