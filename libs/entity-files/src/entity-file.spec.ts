import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EntityFileError, formatEntity, parseEntities, readEntities, writeEntity } from "./index.ts";

const QUERY = "kind: Query\nname: late\nspec: { from: flights, to: late }\n";

const messageOf = (text: string): string => {
  try {
    parseEntities(text, "a.yaml");
  } catch (error) {
    if (error instanceof EntityFileError) return error.message;
    throw error;
  }
  throw new Error("it should have been refused");
};

describe("parseEntities", () => {
  it("reads YAML and JSON, several documents a file, and takes kinds as people write them", () => {
    const [query, table] = parseEntities(
      `${QUERY}---\n{"kind": "table", "name": "bands", "spec": {}}\n`,
      "a.yaml",
    );
    expect(query).toEqual({
      kind: "query",
      name: "late",
      spec: { from: "flights", to: "late" },
      where: "a.yaml:1:1",
    });
    expect(table?.where).toBe("a.yaml:5:1");
  });

  it.each([
    ["no object", "- a\n- b", "a.yaml: not an object with kind, name and spec"],
    [
      "a field outside of spec",
      `${QUERY}from: flights`,
      "a.yaml: unknown field 'from'; an entity has kind, name and spec, and its own fields stand in spec",
    ],
    ["no kind", "name: late\nspec: {}", "a.yaml: kind must be a text like Query; got nothing"],
    ["no name", "kind: Query\nspec: {}", "a.yaml: name must match [a-z0-9-]{1,63}; got nothing"],
    [
      "a name in capitals",
      "kind: Query\nname: Late\nspec: {}",
      'a.yaml: name must match [a-z0-9-]{1,63}; got "Late"',
    ],
    [
      "a number as name",
      "kind: Query\nname: 7\nspec: {}",
      "a.yaml: name must match [a-z0-9-]{1,63}; got 7; write it in quotes",
    ],
    ["a path as name", "kind: Query\nname: ../etc\nspec: {}", 'got "../etc"'],
    ["no spec", "kind: Query\nname: late", "a.yaml: spec must be an object; got nothing"],
    ["a list as spec", "kind: Query\nname: late\nspec: []", "a.yaml: spec must be an object; got []"],
    ["no YAML", "kind: Query\nname: [late\nspec: {}", "a.yaml:3:"],
    ["a name twice", "kind: Query\nname: late\nname: early\nspec: {}", "a.yaml:3:1: Map keys must be unique"],
    ["a tab as indent", "kind: Query\nspec:\n\tfrom: flights", "a.yaml:3:1: Tabs are not allowed"],
    [
      "not a number",
      "kind: Query\nname: late\nspec: { n: .nan }",
      "a.yaml:3:12: .nan is no number of JSON; write it in quotes",
    ],
    [
      "a number that a double rounds",
      "kind: Query\nname: late\nspec: { n: 9007199254740993 }",
      "a.yaml:3:12: 9007199254740993 would be rounded to 9007199254740992; write it in quotes",
    ],
    [
      "an object as a field's name",
      "kind: Query\nname: late\nspec: { ? { a: 1 } : 2 }",
      "a.yaml:3:11: a field's name must be a text; write it in quotes",
    ],
    [
      "aliases that grow",
      `kind: Query\nname: late\nspec:\n  a: &a [1,1]\n${["b", "c", "d", "e", "f", "g", "h", "i"]
        .map((name, index) => `  ${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[index]}`).join(",")}]`)
        .join("\n")}`,
      "a.yaml: Excessive alias count",
    ],
  ])("refuses %s, and says where", (_what, text, message) => {
    expect(messageOf(text)).toContain(message);
  });

  it("tells all that is wrong at once, in every document", () => {
    const wrong = `kind: Query\nname: 7\n---\n${QUERY}---\nkind: Query\nname: [late\n---\nkind: Query\nname: b\nspec: { n: .inf }\n`;
    expect(messageOf(wrong)).toMatch(
      /^4 things are wrong in the files:\n  a.yaml:1:1: name must match .*\n  a.yaml:1:1: spec must be an object; got nothing\n  a.yaml:10:1: .*\n  a.yaml:13:12: .inf is no number/,
    );
  });

  it("keeps __proto__ as a field of its own, for the registry to refuse", () => {
    const [entity] = parseEntities('{"kind":"Query","name":"late","spec":{"__proto__":{"x":1}}}', "a.json");
    expect(JSON.stringify(entity?.spec)).toBe('{"__proto__":{"x":1}}');
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it("takes an empty document as none", () => {
    expect(parseEntities(`---\n${QUERY}---\n`, "a.yaml")).toHaveLength(1);
  });
});

describe("readEntities and writeEntity", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "greco-files-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("reads back exactly what was written, in the order of kind and name", async () => {
    const spec = {
      text: "event.delay > 120 ?\n  1 : 0",
      odd: ["yes", "no", "12", "1e3", "null", "~", "2024-01-01", " lead", "a: b", "# c", "é", "日本"],
      number: 1.5,
      empty: {},
    };
    await writeEntity(dir, { kind: "table", displayKind: "Table", name: "b", spec });
    await writeEntity(dir, { kind: "query", displayKind: "Query", name: "a", spec });
    const read = await readEntities(dir);
    expect(read.map(({ kind, name }) => `${kind}/${name}`)).toEqual(["query/a", "table/b"]);
    expect(read.map((each) => each.spec)).toEqual([spec, spec]);
    expect(formatEntity("Query", "a", {})).toBe("kind: Query\nname: a\nspec: {}\n");
  });

  it("refuses an entity that stands in two files, naming both", async () => {
    await writeFile(join(dir, "a.yaml"), QUERY);
    await writeFile(join(dir, "b.yml"), QUERY);
    await expect(readEntities(dir)).rejects.toThrow(
      `${join(dir, "b.yml")}: query/late stands in ${join(dir, "a.yaml")} too; keep one`,
    );
  });

  it("says that there is no such file, or nothing in the folder", async () => {
    await expect(readEntities(join(dir, "none"))).rejects.toThrow("there is no such file or folder");
    await mkdir(join(dir, "folder.yaml"));
    await writeFile(join(dir, "notes.txt"), "hello");
    await expect(readEntities(dir)).rejects.toThrow("no entities in it (*.yaml, *.yml, *.json)");
  });
});
