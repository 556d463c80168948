// The function as one ES module. `at-build`: a build of an app calls this and keeps the text (tools/build/bundle.ts,
// B3), so that what is deployed needs neither esbuild nor our sources; from the sources it is made when it is needed.
import { join } from "node:path";

/** `folder`: of this file, or of a copy of it. The text says nothing of where it was. */
export async function bundledFunction(folder = import.meta.dirname): Promise<string> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(folder, "function/index.ts")],
    absWorkingDir: folder,
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    minify: true,
    legalComments: "none",
    logLevel: "silent",
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error("esbuild made nothing of the function");
  return file.text;
}
