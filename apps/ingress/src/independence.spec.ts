import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

/** What a part of the data plane may know of the contract. */
const OWN = ["dataplane", "options"];

it("I10: sends the control plane nothing: no contract of it is imported, and no client is made", () => {
  const sources = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith(".ts") && !/\.(spec|int)\.ts$/.test(name),
  );
  const imports = sources.flatMap((name) => {
    const text = readFileSync(join(import.meta.dirname, name), "utf8");
    return [...text.matchAll(/from "([^"]+)";$/gm)].map(([, module = ""]) => `${name}: ${module}`);
  });
  expect(imports.length).toBeGreaterThan(50);
  const foreign = imports.filter((each) => {
    const contract = /@greco\/contracts\/greco\/([a-z]+)\//.exec(each)?.[1];
    return (contract !== undefined && !OWN.includes(contract)) || each.includes("@greco/sdk");
  });
  expect(foreign).toEqual([]);
});
