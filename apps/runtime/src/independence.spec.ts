import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

it("I10: knows one contract of the control plane, by which it asks for bindings, and in one place", () => {
  const sources = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith(".ts") && !/\.(spec|int)\.ts$/.test(name),
  );
  const imports = sources.flatMap((name) => {
    const text = readFileSync(join(import.meta.dirname, name), "utf8");
    return [...text.matchAll(/from "([^"]+)";$/gm)].map(([, module = ""]) => `${name}: ${module}`);
  });
  expect(imports.length).toBeGreaterThan(20);
  expect(imports.filter((each) => /@greco\/(contracts|sdk)/.test(each))).toEqual([
    "cold-boot.ts: @greco/contracts/greco/conductor/v1/cold_boot",
    "cold-boot.ts: @greco/sdk",
  ]);
});
