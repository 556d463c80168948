// One app as bundles: esbuild follows its imports; what is found by a path at run time is found here.
//
// B1. `new URL("./worker.ts", import.meta.url)` is an entry of its own, beside main.js; the same with a folder or
//     another file is copied. Either way the text then names what lies beside the bundle.
// B2. `import.meta.resolve("package")` and what reads files beside itself stay outside of the bundle.
// B3. `x.at-build.ts` makes texts out of the sources: its functions are called now, and the bundle has what they gave.
import { cp } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildResult, build, type Plugin } from "esbuild";

/** B2: npm packages that cannot be in a bundle, and why. */
const OUTSIDE: Readonly<Record<string, string>> = {
  etcd3: "reads .proto files beside itself",
  "@grpc/grpc-js": "etcd3 uses it too, and its objects are compared by class",
  "@grpc/proto-loader": "belongs to both",
  "cassandra-driver": "asks for optional packages by require",
};

type Found = {
  readonly entries: Map<string, string>;
  readonly assets: Map<string, string>;
  readonly packages: Set<string>;
};

export type Bundled = { readonly external: ReadonlySet<string> };

export async function bundle(main: string, out: string): Promise<Bundled> {
  const found: Found = { entries: new Map([["main", main]]), assets: new Map(), packages: new Set() };
  // What is found on the way is an entry of the next turn, so that all share their chunks.
  let known = 0;
  let result: BuildResult<{ metafile: true }> | undefined;
  while (found.entries.size > known) {
    known = found.entries.size;
    result = await build({
      entryPoints: Object.fromEntries(found.entries),
      outdir: out,
      write: true,
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node24",
      sourcemap: "linked",
      sourcesContent: false,
      metafile: true,
      legalComments: "linked",
      external: Object.keys(OUTSIDE),
      // Packages in CommonJS expect these; one name each, as a bundle shares its scope with what it holds.
      banner: {
        js:
          `import { createRequire as greco_createRequire } from "node:module"; ` +
          `const require = greco_createRequire(import.meta.url); ` +
          `const __filename = import.meta.filename, __dirname = import.meta.dirname;`,
      },
      plugins: [atBuild, paths(found)],
      logLevel: "warning",
    });
  }
  for (const [name, from] of found.assets) await cp(from, join(out, name), { recursive: true });
  const imported = Object.values(result?.metafile.outputs ?? {}).flatMap((output) =>
    output.imports.filter(({ external }) => external === true).map(({ path }) => packageOf(path)),
  );
  const outside = imported.filter((name) => Object.hasOwn(OUTSIDE, name));
  return { external: new Set([...outside, ...found.packages]) };
}

function packageOf(path: string): string {
  return path
    .split("/")
    .slice(0, path.startsWith("@") ? 2 : 1)
    .join("/");
}

const URL_OF = /new URL\((["'`])(\.{1,2}\/[^"'`$]*)/g;
const RESOLVED = /import\.meta\.resolve\("([^"]+)"\)/g;

/** B1, B2 */
function paths({ entries, assets, packages }: Found): Plugin {
  return {
    name: "paths",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8");
        if (path.includes("/node_modules/") || !text.includes("import.meta")) return undefined;
        for (const [, name = ""] of text.matchAll(RESOLVED)) packages.add(packageOf(name));
        const contents = text.replaceAll(URL_OF, (_, quote: string, relative: string) => {
          const target = resolve(dirname(path), relative);
          if (!existsSync(target)) throw new Error(`${path} names ${relative}, which is not there`);
          const name = basename(target);
          if (!name.endsWith(".ts")) {
            claim(assets, name, target);
            return `new URL(${quote}./${name}${relative.endsWith("/") ? "/" : ""}`;
          }
          claim(entries, name.replace(/\.ts$/, ""), target);
          return `new URL(${quote}./${name.replace(/\.ts$/, ".js")}`;
        });
        return { contents, loader: "ts" };
      });
    },
  };
}

/** B3 */
const atBuild: Plugin = {
  name: "at-build",
  setup({ onLoad }) {
    onLoad({ filter: /\.at-build\.ts$/ }, async ({ path }) => {
      const makers = (await import(pathToFileURL(path).href)) as Readonly<
        Record<string, () => Promise<string>>
      >;
      const made = Object.entries(makers).map(async ([name, make]) => {
        return `export const ${name} = () => Promise.resolve(${JSON.stringify(await make())});`;
      });
      return { contents: (await Promise.all(made)).join("\n"), loader: "js" };
    });
  },
};

/** Two files of one name would be put in one place. */
function claim(places: Map<string, string>, name: string, target: string): void {
  const other = places.get(name);
  if (other !== undefined && other !== target)
    throw new Error(`${other} and ${target} would both be ${name} in the build: rename one`);
  places.set(name, target);
}
