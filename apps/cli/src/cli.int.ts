// Every verb, as a process, against a whole Greco: exit codes, data on stdout alone, the rest on stderr.
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { greco, GrecoDev, type Ran } from "./testing/greco.ts";

const MODEL = `
kind: Stream
name: orders
spec:
  lanes: 1
  schema:
    type: object
    required: [id, amount]
    properties: { id: { type: string }, amount: { type: number } }
---
kind: Stream
name: invoices
spec: { schema: { type: object } }
---
kind: Query
name: invoice
spec:
  from: orders
  to: invoices
  select: { id: event.id, total: event.amount * 2.0 }
`;
const queryWith = (total: string): string =>
  `kind: Query\nname: invoice\nspec:\n  from: orders\n  to: invoices\n  select: { id: event.id, total: ${total} }\n`;

const order = (id: string, amount: unknown): string => `${JSON.stringify({ id, amount })}\n`;
const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const jsonl = <T>(text: string): T[] => lines(text).map((line) => JSON.parse(line) as T);

function ok(ran: Ran): Ran {
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  return ran;
}

type Greco = Awaited<ReturnType<GrecoDev["model"]>>;
type Proposal = { name: string; phase: string; version: number; committed: boolean };

let dev: GrecoDev;
let model: string;
beforeAll(async () => {
  dev = await GrecoDev.start();
  model = await dev.file("model.yaml", MODEL);
});
afterAll(() => dev[Symbol.asyncDispose]());

/** A model whose first version is MODEL. */
async function withVersion1(): Promise<Greco> {
  const on = await dev.model();
  ok(await on(["draft", "apply", "first", "-f", model]));
  ok(await on(["make-it-so", "first", "--wait", "--reason", "the first version"]));
  return on;
}

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
  ])("%j ends with 2 and says why on stderr", async (args, message) => {
    const ran = await dev.run([...args, "--model", "any"]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain(message);
  });

  it("asks which model, and where the services are", async () => {
    expect(await dev.run(["list"])).toMatchObject({
      code: 2,
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
    const on = await withVersion1();
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

  it("keeps what was written by hand when it cannot be taken", async () => {
    const on = await withVersion1();
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
    const on = await withVersion1();
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
    const on = await withVersion1();
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

describe("a commit", () => {
  it("is planned, vetoed with the reason, made so, followed, and stands in history and audit", async () => {
    const on = await withVersion1();
    const broken = queryWith("event.amuont * 2.0");
    ok(await on(["draft", "apply", "broken", "-f", "-"], { input: broken }));
    const plan = await on(["plan", "broken"]);
    expect(plan.code).toBe(1);
    expect(plan.stdout).toMatch(
      /✗ conductor-worker would veto\n {4}✗ query\/invoice select.total, column 7: /,
    );
    expect(plan.stdout).toContain("[UNKNOWN_FIELD]\n        → did you mean amount?\n");
    expect(plan.stdout).toMatch(/\nIt would not be committed\.\n$/);
    const vetoed = await on(["make-it-so", "broken", "--wait"]);
    expect(vetoed.code).toBe(1);
    expect(vetoed.stdout).toMatch(/phase +aborted \(vetoed\)/);
    expect(vetoed.stdout).toContain("conductor-worker: query/invoice select.total, column 7");
    expect(vetoed.stderr).toMatch(/✗ conductor-worker +vetoes/);

    ok(await on(["draft", "apply", "good", "-f", "-"], { input: queryWith("event.amount * 3.0") }));
    const good = await on(["plan", "good", "-o", "jsonl"]);
    expect(good.code).toBe(2);
    expect(jsonl<object>(good.stdout).at(0)).toHaveProperty("header");
    expect(jsonl<object>(good.stdout).at(-1)).toMatchObject({ summary: { acceptable: true } });

    const refused = await on(["make-it-so", "good", "--as", "editor"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("releaser");
    expect(refused.stderr).toContain("[MISSING_ROLE]");

    const started = ok(
      await on(["make-it-so", "good", "--as", "releaser", "--reason", "dearer", "-o", "json"]),
    );
    const { name } = JSON.parse(started.stdout) as Proposal;
    const id = name.split("/").at(-1) ?? "";
    expect(started.stderr).toBe(`follow it: greco proposal watch ${id}\n`);
    const watched = ok(await on(["proposal", "watch", id, "-o", "json"]));
    expect(JSON.parse(watched.stdout)).toMatchObject({ phase: "PHASE_SETTLED", committed: true, version: 2 });
    expect(ok(await on(["proposal", "get", id])).stdout).toMatch(
      /conductors +conductor-streams +accepts, ready, settled/,
    );
    expect(
      jsonl<Proposal>(ok(await on(["proposal", "list", "-o", "jsonl", "--limit", "2"])).stdout)[0]?.name,
    ).toBe(name);
    expect((await on(["proposal", "withdraw", id])).stderr).toContain("[ALREADY_COMMITTED]");

    const history = jsonl<{ number: number; reason: string; releaser: string }>(
      ok(await on(["history", "-o", "jsonl"])).stdout,
    );
    expect(history.map(({ number, reason, releaser }) => [number, reason, releaser])).toEqual([
      [2, "dearer", "releaser"],
      [1, "the first version", "admin"],
    ]);
    const audit = ok(await on(["audit"])).stdout;
    expect(audit).toMatch(/releaser +MakeItSo +proposal \S+ +proposed +dearer/);
    expect(ok(await on(["get", "query/invoice", "--version", "1"])).stdout).toContain("amount * 2.0");
    expect(ok(await on(["describe", "stream/orders"])).stdout).toMatch(/used by +query\/invoice/);
  });

  it("is rolled back by a forward version", async () => {
    const on = await withVersion1();
    ok(await on(["draft", "apply", "d", "-f", "-"], { input: queryWith("event.amount * 1.0") }));
    ok(await on(["make-it-so", "d", "--wait"]));
    const back = ok(await on(["rollback", "v1", "--wait", "--reason", "too cheap"]));
    expect(back.stdout).toMatch(/phase +marked as version 3/);
    expect(back.stderr).toMatch(/committed as version 3/);
    expect(ok(await on(["history"])).stdout).toContain("content of version 1; too cheap");
    const nothing = await on(["rollback", "3"]);
    expect(nothing.stderr).toContain("[NOTHING_TO_RESTORE]");
  });

  it("waits for its confirmation when it was asked to", async () => {
    const on = await withVersion1();
    ok(await on(["draft", "apply", "d", "-f", "-"], { input: queryWith("event.amount * 1.0") }));
    const armed = ok(await on(["make-it-so", "d", "--wait", "--confirm-within", "10m"]));
    expect(armed.stdout).toMatch(/confirmation +armed, /);
    const id = /proposal +(\S+)/.exec(armed.stdout)?.[1] ?? "";
    expect(armed.stderr).toContain(`greco confirm ${id}`);
    expect((await on(["make-it-so", "d"])).stderr).toContain("[CONFIRMATION_PENDING]");
    expect(ok(await on(["confirm", id])).stdout).toMatch(/confirmation +confirmed by admin/);
    expect((await on(["confirm", id])).stderr).toContain("[ALREADY_CONFIRMED]");
  });

  it("needs a second person where the model says so", async () => {
    const on = await dev.model();
    const drafted = ok(await on(["draft", "apply", "d", "-f", model, "--as", "editor", "-o", "json"]));
    const [own = ""] = (JSON.parse(drafted.stdout) as { name: string }).name.split("/drafts/");
    ok(await on(["model", "set", own, "--approval", "yes"]));
    expect((await on(["make-it-so", "d"])).stderr).toContain("[APPROVAL_MISSING]");
    expect((await on(["draft", "approve", "d", "--as", "editor"])).stderr).toContain("[MISSING_ROLE]");
    expect(ok(await on(["draft", "approve", "d", "--as", "releaser"])).stdout).toMatch(
      /approved by +releaser/,
    );
    ok(await on(["make-it-so", "d", "--wait"]));
  });
});

describe("streams", () => {
  it("publishes and subscribes, across a switch, in every format", async () => {
    const on = await withVersion1();
    const first = ok(await on(["stream", "publish", "orders"], { input: order("a", 1) + order("b", 2) }));
    expect(first).toMatchObject({ stdout: "", stderr: "2 acknowledged in one lane at epoch 1, 0 refused\n" });
    ok(await on(["draft", "apply", "d", "-f", "-"], { input: queryWith("event.amount * 3.0") }));
    ok(await on(["make-it-so", "d", "--wait"]));
    const file = await dev.file("orders.jsonl", order("c", 3));
    const args = ["stream", "publish", "orders", "--at-least-epoch", "2", "-f", file, "-o", "json"];
    expect(JSON.parse(ok(await on(args)).stdout)).toMatchObject({ acknowledged: 1, refused: 0, epochs: [2] });

    const taken = ok(await on(["stream", "subscribe", "invoices", "--from", "beginning", "--limit", "3"]));
    expect(taken.stderr).toBe("");
    expect(lines(taken.stdout).map((line) => line.replace(/(invoices|orders)\.\S+?:/g, "$1:"))).toEqual([
      "── invoices:1  epoch 1 from here on",
      'invoices:2  epoch 1  {"id":"a","total":2}  ← orders:2',
      'invoices:3  epoch 1  {"id":"b","total":4}  ← orders:3',
      "── invoices:4  epoch 2 from here on",
      'invoices:5  epoch 2  {"id":"c","total":9}  ← orders:5',
    ]);
    const subscribe = ["stream", "subscribe", "invoices", "--from", "epoch:2", "--bounded"];
    type Entry = {
      lane: string;
      seq: number;
      marker?: number;
      payload?: unknown;
      source?: { query: string };
    };
    const entries = jsonl<Entry>(ok(await on([...subscribe, "-o", "jsonl"])).stdout);
    expect(entries).toMatchObject([
      { marker: 2 },
      { payload: { id: "c", total: 9 }, source: { query: "query/invoice@1" } },
    ]);
    expect(JSON.parse(ok(await on([...subscribe, "-o", "json"])).stdout)).toEqual(entries);
    expect(parse(ok(await on([...subscribe, "-o", "yaml"])).stdout)).toEqual(entries);
    const after = `${entries[0]?.lane}:${entries[0]?.seq}`;
    const rest = ok(
      await on(["stream", "subscribe", "invoices", "--from", after, "--bounded", "-o", "jsonl"]),
    );
    expect(jsonl(rest.stdout)).toEqual(entries.slice(1));

    const status = ok(await on(["status"])).stdout;
    expect(status).toMatch(/is at epoch 2\n {2}invoice has crossed into epoch 2 in every lane\n/);
    expect(status).toMatch(/orders +orders\.\S+ +open +2 +4 +5 +invoice at epoch 2, all read/);
    const one = JSON.parse(ok(await on(["status", "orders", "-o", "json"])).stdout) as { lanes: object[] };
    expect(one).toMatchObject({ epoch: 2, streams: [{ lanesEpoch: 2 }], crossings: [{ crossed: true }] });
    expect(one.lanes).toHaveLength(1);
  });

  it("says which lines were refused, stores the others, and nothing twice for a producer", async () => {
    const on = await withVersion1();
    const input = `${order("a", 1)}\n${order("b", "two")}${order("c", 3)}`;
    const ran = await on(["stream", "publish", "orders"], { input });
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain("2 acknowledged in one lane at epoch 1, 1 refused\n");
    expect(ran.stderr).toContain("error: line 3: payload.amount must be a number");
    const twice = ["stream", "publish", "orders", "--producer", "till-1", "--rate", "1000", "-o", "json"];
    for (const duplicates of [0, 2])
      expect(JSON.parse(ok(await on(twice, { input: order("x", 1) + order("y", 2) })).stdout)).toMatchObject({
        acknowledged: 2,
        duplicates,
      });
    const missing = await on(["stream", "publish", "orders", "-f", join(dev.dir, "none")]);
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toContain("cannot be read");
    const unknown = await on(["stream", "publish", "order"], { input: order("a", 1) });
    expect(unknown.stderr).toContain("did you mean orders?");
  });

  it("gives a message up by hand, which then is a dead letter", async () => {
    const on = await withVersion1();
    const stuck = `kind: Query
name: invoice
spec:
  from: orders
  to: invoices
  onError: { retries: 10, then: skip }
  handler: |
    export function handle(event) { throw new Error("no " + event.id); }
`;
    ok(await on(["draft", "apply", "d", "-f", "-"], { input: stuck }));
    ok(await on(["make-it-so", "d", "--wait"]));
    const published = ["stream", "publish", "orders", "--at-least-epoch", "2"];
    ok(await on(published, { input: order("a", 1) }));
    const [entry] = jsonl<{ lane: string; seq: number }>(
      ok(await on(["stream", "subscribe", "orders", "--from", "epoch:2", "--limit", "1", "-o", "jsonl"]))
        .stdout,
    ).slice(-1);
    const given = await on([
      "stream",
      "dead-letter",
      "invoice",
      entry?.lane ?? "",
      String(entry?.seq),
      "--reason",
      "poison",
    ]);
    expect(ok(given).stderr).toBe(`invoice gives up ${entry?.lane}:${entry?.seq}\n`);
    const letters = ok(
      await on(["stream", "subscribe", "dead-letters", "--from", "beginning", "--limit", "1"]),
    );
    expect(letters.stdout).toContain("poison");
    const wrong = await on([
      "stream",
      "dead-letter",
      "invoices",
      entry?.lane ?? "",
      "1",
      "--reason",
      "poison",
    ]);
    expect(wrong.code).toBe(1);
  });

  it("ends with 130 on Ctrl-C, and quietly when its reader has seen enough", async () => {
    const on = await withVersion1();
    ok(await on(["stream", "publish", "orders"], { input: order("a", 1) }));
    const args = ["stream", "subscribe", "orders", "--from", "beginning", "-o", "json"];
    let pressed = false;
    const ended = await on(args, {
      onOutput: (stdout, kill) => {
        if (pressed || !stdout.includes("payload")) return;
        pressed = true;
        kill("SIGINT");
      },
    });
    expect(ended).toMatchObject({ code: 130, stderr: "" });
    expect(JSON.parse(ended.stdout)).toHaveLength(2);
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
    const on = await withVersion1();
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
    expect(ok(await greco(["validate", "-f", model])).stderr).toBe("3 entities are well formed\n");
    const wrong = await greco(["validate", "-f", "-", "-o", "json"], {
      input: MODEL.replace("event.amount", "event.amuont"),
    });
    expect(wrong).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(wrong.stdout)).toMatchObject([{ reason: "UNKNOWN_FIELD", column: 7 }]);
  });
});
