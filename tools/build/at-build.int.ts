import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { functionSource } from "@greco/adapter-lambda";
import { expect, it } from "vitest";
import { root, run } from "../lib/run.ts";
import { bundle } from "./bundle.ts";

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

it("keeps in a built app the function that the sources make, byte for byte, and no esbuild", async () => {
  await mkdir(join(root, ".cache"), { recursive: true });
  const folder = await mkdtemp(join(root, ".cache/at-build-"));
  try {
    const main = join(folder, "app.ts");
    await writeFile(
      main,
      `import { createHash } from "node:crypto";
      import { functionSource } from "@greco/adapter-lambda";
      const text = await functionSource(new AbortController().signal);
      console.log(createHash("sha256").update(text).digest("hex"));`,
    );
    const out = join(folder, "out");
    await bundle(main, out);
    const { stdout } = await run(process.execPath, [join(out, "main.js")], { cwd: folder });
    expect(stdout.trim()).toBe(hashOf(await functionSource(new AbortController().signal)));
    const scripts = (await readdir(out)).filter((name) => name.endsWith(".js"));
    const texts = await Promise.all(scripts.map((name) => readFile(join(out, name), "utf8")));
    expect(texts.some((text) => text.includes("ESBUILD_BINARY_PATH"))).toBe(false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
