// Every verb, as a process, against a whole Greco: exit codes, data on stdout alone, the rest on stderr.
// Commits and streams are in live.int.ts.
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { jsonl, lines, MODEL, ok, queryWith, withVersion1 } from "./testing/fixtures.ts";
import { greco, GrecoDev } from "./testing/greco.ts";

let dev: GrecoDev;
beforeAll(async () => {
  dev = await GrecoDev.start();
});
afterAll(() => dev[Symbol.asyncDispose]());

describe("a command line that cannot be read", () => {
  it.each([
    [["plann"], "Did you mean plan?"],
    [["draft", "aply", "x"], "Did you mean apply?"],
    [["list", "--verison", "1"], "Did you mean --version?"],
    [["get"], "missing required argument 'entity'"],
    [["list", "-o", "xml"], "Allowed choices are table, json, jsonl, yaml"],
    [["list", "--as", "root"], "Allowed choices are viewer, editor, releaser, admin"],
    [["draft", "apply", "x"], "required option '-f, --file <path>'"],
    [["get", "flights"], "an entity is written kind/name"],
    [["list", "--timeout", "soon"], "--timeout must be a time like"],
    [["stream", "subscribe", "s", "--from", "now"], "--from must be beginning, end, epoch:N or LANE:SEQ"],
    [["rollback", "first"], "version must be a whole number"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish"],
  ])("%j ends with 1 (2 says that something differs) and says why on stderr", async (args, message) => {
    const ran = await dev.run([...args, "--model", "any"]);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain(message);
  });

  it("says what it is", async () => {
    const ran = await greco(["version"]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(ran.stdout).toMatch(/^greco \d+\.\d+\.\d+, Node v\d+\.\d+\.\d+\n$/);
  });

  it("asks which model, and where the services are", async () => {
    expect(await dev.run(["list"])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "error: which model?\nnext:  give --model NAME or GRECO_MODEL; `greco model list` shows them\n",
    });
    const nowhere = await greco(["model", "list", "--data", join(dev.dir, "none")]);
    expect(nowhere).toMatchObject({ code: 1, stdout: "" });
    expect(nowhere.stderr).toContain("start `greco dev`");
    const away = await dev.run(["model", "list", "--registry", "127.0.0.1:1", "--timeout", "2s"]);
    expect(away).toMatchObject({ code: 1, stdout: "" });
    expect(away.stderr).toContain("greco doctor");
  });

  it("shows help on stdout with 0 when it is asked for", async () => {
    const { stdout, stderr } = ok(await greco(["--help"]));
    expect(stdout).toContain("make-it-so");
    expect(stderr).toBe("");
    expect(ok(await greco(["draft", "apply", "--help"])).stdout).toContain("--prune");
  });
});

describe("models, kinds and roles", () => {
  it("makes, lists, describes and sets models", async () => {
    const made = ok(await dev.run(["model", "create", "airline", "--title", "An airline", "-o", "json"]));
    expect(JSON.parse(made.stdout)).toMatchObject({ name: "models/airline", headVersion: 0 });
    const again = await dev.run(["model", "create", "airline"]);
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toContain("[MODEL_EXISTS]");
    // Options for all verbs stand before or behind them.
    const listed = ok(await dev.run(["-o", "jsonl", "model", "list"]));
    expect(jsonl<{ name: string }>(listed.stdout).map(({ name }) => name)).toContain("models/airline");
    ok(await dev.run(["model", "set", "airline", "--voters", "affected", "--approval", "yes"]));
    const { stdout } = ok(await dev.run(["model", "describe", "airline"]));
    expect(stdout).toMatch(/voters +affected\nsecond person +required/);
    expect(stdout).toContain("An airline");
  });

  it("adds a kind without code, shows it, and takes it back as it was shown", async () => {
    const on = await dev.model();
    const kind = `
displayName: Flag
schema: { type: object, required: [on], properties: { on: { type: boolean, description: whether it is on } } }
rules: [{ id: named, expression: 'name != "x"', message: choose a better name }]
unclaimedAllowed: true
`;
    const file = await dev.file("flag.yaml", kind);
    ok(await on(["kind", "create", "flag", "-f", file]));
    const shown = ok(await on(["kind", "get", "flag", "-o", "yaml"])).stdout;
    expect(parse(shown)).toMatchObject({ displayName: "Flag", schema: { required: ["on"] } });
    ok(await on(["kind", "update", "flag", "-f", "-"], { input: shown.replace("better", "good") }));
    expect(ok(await on(["kind", "list"])).stdout).toMatch(/flag +Flag +no/);
    expect(ok(await on(["kind", "list"])).stdout).toMatch(/query +Query +yes +stream, table\n/);
    expect(ok(await on(["explain", "flag"])).stdout).toMatch(/on +boolean +required +whether it is on/);
    const wrong = await on(["kind", "create", "b", "-f", "-"], { input: "displayNmae: B" });
    expect(wrong.stderr).toContain("a kind has no field 'displayNmae'\nnext:  did you mean displayName?");

    const entity = await dev.file("dark.yaml", "kind: Flag\nname: x\nspec: { on: 1 }");
    const findings = ok(await on(["draft", "apply", "dark", "-f", entity]));
    expect(findings.stderr).toContain("flag/x: on must be a boolean");
    const invalid = await on(["draft", "validate", "dark", "-o", "jsonl"]);
    expect(invalid.code).toBe(1);
    expect(jsonl(invalid.stdout)).toMatchObject([{ reason: "SPEC_INVALID", fieldPath: "on" }]);
  });

  it("gives and takes roles", async () => {
    const on = await dev.model();
    ok(await on(["role", "set", "eve", "editor"]));
    expect(ok(await on(["role", "list"])).stdout).toMatch(/eve +editor/);
    expect(JSON.parse(ok(await on(["role", "remove", "eve", "-o", "json"])).stdout)).toEqual({
      removed: "eve",
    });
    expect(ok(await on(["role", "list"])).stdout).not.toContain("eve");
  });
});

describe("drafts", () => {
  it("edits by file, by hand, deletes and reverts, and shows what changed", async () => {
    const on = await withVersion1(dev);
    ok(await on(["draft", "create", "d", "--title", "half price"]));
    const file = await dev.file("half.yaml", queryWith("event.amount"));
    ok(await on(["draft", "edit", "d", "query/invoice", "-f", file]));
    const diff = await on(["draft", "diff", "d"]);
    expect(diff.code).toBe(2);
    expect(diff.stdout).toContain("~ query/invoice");
    expect(diff.stdout).toContain("-   total: event.amount * 2.0\n    +   total: event.amount\n");
    const asJson = await on(["draft", "diff", "d", "-o", "json"]);
    expect(JSON.parse(asJson.stdout)).toMatchObject([
      { kind: "KIND_UPDATE", afterSpec: { select: { total: "event.amount" } } },
    ]);
    const wrongFile = await on(["draft", "edit", "d", "stream/orders", "-f", file]);
    expect(wrongFile.stderr).toContain("holds query/invoice, not stream/orders");

    ok(await on(["draft", "edit", "d", "query/invoice", "--revert"]));
    expect(await on(["draft", "diff", "d"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "no differences\n",
    });
    ok(await on(["draft", "edit", "d", "Query/invoice"], { env: { EDITOR: "sed -i s/2.0/3.0/" } }));
    expect((await on(["draft", "diff", "d"])).stdout).toContain("event.amount * 3.0");
    const unchanged = ok(await on(["draft", "edit", "d", "query/invoice"], { env: { EDITOR: "true" } }));
    expect(unchanged.stderr).toBe("nothing was changed\n");

    const deleted = ok(await on(["draft", "edit", "d", "stream/orders", "--delete"]));
    expect(deleted.stderr).toContain("[DELETE_OF_REFERENCED]");
    expect((await on(["draft", "validate", "d"])).code).toBe(1);
    expect(jsonl<{ name: string }>(ok(await on(["draft", "list", "-o", "jsonl"])).stdout)).toHaveLength(2);
    expect(ok(await on(["draft", "discard", "d"])).stderr).toBe("draft d is discarded\n");
    const gone = await on(["draft", "get", "d"]);
    expect(gone).toMatchObject({ code: 1, stdout: "" });
    expect(gone.stderr).toContain("[DRAFT_NOT_FOUND]");
  });

  it("says when not every finding and conflict fits into one answer, and how to come to the others", async () => {
    const on = await dev.model();
    // Some megabytes of each.
    const names = Array.from({ length: 12 }, (_, n) => `s${n + 10}`);
    const streams = (spec: object, of = names): string =>
      of.map((name) => JSON.stringify({ kind: "Stream", name, spec })).join("\n---\n");
    const described = (title: string) =>
      streams({ schema: { type: "object", description: title.repeat(200_000) } });
    ok(await on(["draft", "apply", "one", "-f", "-"], { input: described("a") }));
    ok(await on(["draft", "apply", "mine", "-f", "-"], { input: described("b") }));
    ok(await on(["make-it-so", "one", "--wait"]));
    ok(await on(["draft", "apply", "two", "-f", "-"], { input: described("c") }));
    ok(await on(["make-it-so", "two", "--wait"]));
    const rebased = await on(["draft", "rebase", "mine"]);
    expect(rebased.code).toBe(1);
    expect(rebased.stderr).toMatch(/\d conflicts, and more than fit into one answer; the draft is as it was/);
    expect(rebased.stderr).toMatch(/with these settled, greco draft rebase lists the others/);

    const many = Array.from({ length: 1_000 }, (_, n) => `m${n}`);
    const unknown = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${"x".repeat(50)}${n}`, 1]));
    const wrong = streams({ schema: {}, ...unknown }, many);
    const applied = await on(["draft", "apply", "wrong", "-f", "-"], { input: wrong });
    expect(applied.code).toBe(0);
    const validated = await on(["draft", "validate", "wrong"]);
    expect(validated.code).toBe(1);
    expect(validated.stderr).toMatch(
      /^and more than fit into one answer: settle these \d+, then use `greco draft validate wrong` again\n$/,
    );
  });

  it("keeps what was written by hand when it cannot be taken", async () => {
    const on = await withVersion1(dev);
    ok(await on(["draft", "create", "d"]));
    const env = { EDITOR: "sed -i s/kind:/knd:/" };
    const refused = await on(["draft", "edit", "d", "query/invoice"], { env });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("unknown field 'knd'");
    const file = /draft edit d query\/invoice -f (\S+)/.exec(refused.stderr)?.[1] ?? "";
    expect(await readFile(file, "utf8")).toContain("knd: Query");
    await rm(join(file, ".."), { recursive: true });
    const none = await on(["draft", "edit", "d", "query/invoice"]);
    expect(none.stderr).toContain("neither VISUAL nor EDITOR is set");
  });

  it("takes exactly back what it has exported, and deletes what is not there with --prune", async () => {
    const on = await withVersion1(dev);
    const out = join(dev.dir, "exported");
    const exported = ok(await on(["export", "--dir", out]));
    expect(lines(exported.stdout)).toHaveLength(4);
    ok(await on(["draft", "apply", "back", "-f", out, "--prune"]));
    expect(await on(["draft", "diff", "back"])).toMatchObject({ code: 0, stdout: "" });
    await rm(join(out, "query", "invoice.yaml"));
    ok(await on(["draft", "apply", "back", "-f", out]));
    expect((await on(["draft", "diff", "back"])).code).toBe(0);
    ok(await on(["draft", "apply", "back", "-f", out, "--prune"]));
    expect((await on(["draft", "diff", "back"])).stdout).toMatch(/^- query\/invoice\n/);
    // The files of another version lie beside those that are written now.
    const noted = ok(await on(["export", "--dir", out, "--draft", "back"]));
    expect(noted.stderr).toBe("");
    await mkdir(join(out, "query"), { recursive: true });
    ok(await on(["export", "--dir", out]));
    expect((await readdir(join(out, "query"))).length).toBe(1);
    expect(ok(await on(["export", "--dir", out, "--draft", "back"])).stderr).toContain(
      "1 other files lie in",
    );
  });

  it("makes no draft of files that cannot be read", async () => {
    const on = await dev.model();
    const bad = await dev.file("bad.yaml", "kind: Query\nname: [");
    const refused = await on(["draft", "apply", "new", "-f", bad]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`${bad}:2:`);
    expect((await on(["draft", "get", "new"])).stderr).toContain("[DRAFT_NOT_FOUND]");
  });

  it("rebases, and lists conflicts until each is settled", async () => {
    const on = await withVersion1(dev);
    const edit = async (draft: string, total: string): Promise<void> => {
      ok(await on(["draft", "apply", draft, "-f", "-"], { input: queryWith(total) }));
    };
    await edit("mine", "event.amount * 3.0");
    await edit("theirs", "event.amount * 4.0");
    ok(await on(["make-it-so", "theirs", "--wait"]));
    const stale = await on(["make-it-so", "mine", "--wait"]);
    expect(stale.code).toBe(1);
    expect(stale.stderr).toContain("[STALE_DRAFT]\nnext:  greco draft rebase DRAFT");
    const conflict = await on(["draft", "rebase", "mine"]);
    expect(conflict.code).toBe(1);
    expect(conflict.stdout).toBe(
      [
        "✗ query/invoice select.total",
        '    base   "event.amount * 2.0"',
        '    draft  "event.amount * 3.0"',
        '    head   "event.amount * 4.0"',
        "",
      ].join("\n"),
    );
    expect(conflict.stderr).toContain("--ours query/invoice:select.total");
    const listed = await on(["draft", "rebase", "mine", "-o", "jsonl"]);
    expect(jsonl(listed.stdout)).toMatchObject([{ fieldPath: "select.total", head: "event.amount * 4.0" }]);
    ok(await on(["draft", "rebase", "mine", "--ours", "query/invoice:select.total"]));
    ok(await on(["make-it-so", "mine", "--wait"]));
    expect(ok(await on(["get", "query/invoice"])).stdout).toContain("event.amount * 3.0");
  });
});

describe("conductors and help", () => {
  it("lists conductors and deregisters one", async () => {
    const on = await dev.model();
    const listed = ok(await on(["conductor", "list", "-o", "jsonl"])).stdout;
    expect(jsonl<{ name: string; kinds: string[] }>(listed).map(({ kinds }) => kinds)).toEqual([
      ["stream"],
      ["table"],
      ["query"],
    ]);
    const gone = ok(await on(["conductor", "deregister", "conductor-tables", "--reason", "no tables here"]));
    expect(gone.stdout).toMatch(/state +deregistered/);
    const sick = await on(["doctor"]);
    expect(sick.code).toBe(1);
    expect(sick.stdout).toContain("✗ kind table: has no conductor");
  });

  it("diagnoses what is well and what is not", async () => {
    const on = await withVersion1(dev);
    const well = ok(await on(["doctor", "-o", "json"]));
    const found = JSON.parse(well.stdout) as { what: string; state: string }[];
    expect(found.filter(({ state }) => state !== "ok")).toEqual([]);
    expect(found.map(({ what }) => what)).toEqual(
      expect.arrayContaining(["registry", "coordinator", "ingress", "conductor-worker", "lanes"]),
    );
    const ill = await on(["doctor", "--coordinator", "127.0.0.1:1"]);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toContain("✗ coordinator: ");
    expect(ill.stdout).toContain("✓ registry: ");
  });

  it("asks conductors what differs outside; those of greco dev make nothing there", async () => {
    const on = await dev.model();
    const { stdout } = ok(await on(["drift"]));
    for (const name of ["streams", "tables", "worker"])
      expect(stdout).toContain(`- conductor-${name}: makes nothing outside that it could look at\n`);
    expect(stdout).toContain("\nNothing differs.\n");
    ok(await on(["repair", "--conductor", "conductor-worker", "--reason", "to see"]));
    const audited = ok(await on(["audit", "-o", "jsonl"])).stdout;
    expect(jsonl<{ method: string }>(audited)).toContainEqual(
      expect.objectContaining({
        method: "greco.commit.v1.CommitService/Mend",
        ...{ reason: "to see", outcome: "asked" },
      }),
    );
    const none = await on(["drift", "--conductor", "nobody"]);
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toContain("[CONDUCTOR_NOT_FOUND]\nnext:  greco conductor list");
    const aws = await on(["doctor", "aws"]);
    expect(aws.code).toBe(1);
    expect(aws.stdout).toContain("✗ aws: no conductor of this model works on it");
  });

  it("I14: a viewer may look what differs, and only a releaser have it put back", async () => {
    const on = await dev.model();
    ok(await on(["drift", "--as", "viewer"]));
    for (const person of ["viewer", "editor"]) {
      const refused = await on(["repair", "--as", person]);
      expect(refused).toMatchObject({ code: 1, stdout: "" });
      expect(refused.stderr).toContain("Mend needs the role releaser");
    }
    ok(await on(["repair", "--as", "releaser"]));
  });

  it("explains reasons and kinds, also without any service, and finds what was meant", async () => {
    expect(ok(await greco(["explain", "stale-etag"])).stdout).toMatch(/^reason +STALE_ETAG\nmeans +somebody/);
    expect(ok(await greco(["explain", "Query"])).stdout).toMatch(
      /from +string +required +Stream that it reads\./,
    );
    const near = await greco(["explain", "STALE_ETG"]);
    expect(near).toMatchObject({ code: 1, stdout: "" });
    expect(near.stderr).toContain("did you mean STALE_ETAG?");
  });

  it("validates files without any service", async () => {
    expect(ok(await greco(["validate", "-f", await dev.file("model.yaml", MODEL)])).stderr).toBe(
      "3 entities are well formed\n",
    );
    const wrong = await greco(["validate", "-f", "-", "-o", "json"], {
      input: MODEL.replace("event.amount", "event.amuont"),
    });
    expect(wrong).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(wrong.stdout)).toMatchObject([{ reason: "UNKNOWN_FIELD", column: 7 }]);
  });
});
