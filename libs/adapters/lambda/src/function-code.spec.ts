import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { QueryContent, TableContent } from "@greco/domain/epoch";
import { strFromU8, unzipSync } from "fflate";
import { expect, it } from "vitest";
import { bundledFunction } from "./bundled-function.at-build.ts";
import { functionCode } from "./function-code.ts";

const source = "export const handler = () => 1;";
const schema = { type: "object", properties: { id: { type: "string" }, pay: { type: "number" } } };
const bands: TableContent = { name: "bands", key: "id", schema, rows: [{ id: "a", pay: 1 }] };
const fees: TableContent = { name: "fees", key: "id", schema, rows: [{ id: "b", pay: 2 }] };
const query: QueryContent = {
  name: "late",
  from: "flights",
  to: "payments",
  tables: ["bands", "fees"],
  where: "event.delay > 1",
  select: { n: "event.n", pay: "tables.bands['a'].pay" },
  onError: { retries: 3, then: "dead-letter" },
  timeoutMs: 1_000,
  schemas: { from: schema, tables: { bands: schema, fees: schema } },
};

/** The same value with every object's keys the other way round. */
function turned<T>(value: T): T {
  if (Array.isArray(value)) return value.map(turned) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, item]) => [name, turned<unknown>(item)]),
  ) as T;
}

it("holds the source, the query and its tables", () => {
  const { zip, codeSha256, unzippedBytes } = functionCode(source, query, [bands, fees]);
  const files = Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, strFromU8(bytes)] as const);
  expect(files.map(([name]) => name)).toEqual(["index.mjs", "query.json", "tables.json"]);
  expect(files[0]?.[1]).toBe(source);
  expect(JSON.parse(files[1]?.[1] ?? "")).toMatchObject({ name: "late", tables: ["bands", "fees"] });
  expect(JSON.parse(files[2]?.[1] ?? "")).toEqual({ bands, fees });
  expect(codeSha256).toBe(createHash("sha256").update(zip).digest("base64"));
  expect(unzippedBytes).toBe(files.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0));
});

it("is the same bytes in every order of keys and of tables", () => {
  const { zip } = functionCode(source, query, [bands, fees]);
  const other = turned({ ...query, tables: ["fees", "bands"] });
  expect(functionCode(source, other, [turned(fees), turned(bands)]).zip).toEqual(zip);
});

it("is the same bytes in every time zone", async () => {
  const script = `
    const { functionCode } = await import(${JSON.stringify(join(import.meta.dirname, "function-code.ts"))});
    console.log(functionCode("text", ${JSON.stringify(query)}, []).codeSha256);`;
  const zones = ["Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo"];
  const hashes = zones.map(async (TZ) => {
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      env: { ...process.env, TZ },
    });
    return (await run).stdout.trim();
  });
  expect(new Set(await Promise.all(hashes))).toEqual(new Set([functionCode("text", query, []).codeSha256]));
});

it("changes with what the function does, and with nothing else", () => {
  const { codeSha256 } = functionCode(source, query, [bands, fees]);
  const hashOf = (change: Partial<QueryContent>): string =>
    functionCode(source, { ...query, ...change }, [bands, fees]).codeSha256;
  expect(hashOf({ onError: { retries: 0, then: "skip" }, from: "other", to: "another" })).toBe(codeSha256);
  const others = [
    hashOf({ where: "event.delay > 2" }),
    hashOf({ timeoutMs: 2_000 }),
    functionCode(`${source}\n`, query, [bands, fees]).codeSha256,
    functionCode(source, query, [bands, { ...fees, rows: [] }]).codeSha256,
  ];
  expect(new Set([codeSha256, ...others]).size).toBe(5);
});

it("has a source that says nothing of the checkout that it was made in", async () => {
  const root = join(import.meta.dirname, "../../../..");
  const folder = await mkdtemp(join(tmpdir(), "greco-checkout-"));
  try {
    const made = await Promise.all(
      ["a", "some/longer/path"].map(async (name) => {
        const checkout = join(folder, name);
        await copyOf(root, checkout);
        return bundledFunction(join(checkout, "libs/adapters/lambda/src"));
      }),
    );
    expect(made[0]).toBe(await bundledFunction());
    expect(made[1]).toBe(made[0]);
    expect(made[0]).not.toContain(dirname(root));
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** What the function is made of: packages of ours, linked as npm does, and of others. */
async function copyOf(root: string, checkout: string): Promise<void> {
  const ours = ["adapters/lambda", "adapters/worker", "domain", "expression", "ports"];
  const others = ["@bufbuild/re2", "@marcbachmann/cel-js", "@noble/hashes", "canonicalize", "sorted-btree"];
  await mkdir(join(checkout, "node_modules/@greco"), { recursive: true });
  const copy = (path: string): Promise<void> =>
    cp(join(root, path), join(checkout, path), {
      recursive: true,
      filter: (from) =>
        from === join(root, path) || !from.slice(root.length + path.length).includes("node_modules"),
    });
  for (const name of ours) {
    await copy(`libs/${name}`);
    const linked = join(checkout, "node_modules/@greco", name.replace("adapters/", "adapter-"));
    await symlink(join(checkout, "libs", name), linked);
  }
  for (const name of others) await copy(`node_modules/${name}`);
}
