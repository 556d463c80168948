// Commits and streams from the command line, as processes, against a whole Greco.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { jsonl, lines, MODEL, ok, order, queryWith, withVersion1 } from "./testing/fixtures.ts";
import { GrecoDev, shell } from "./testing/greco.ts";

type Proposal = { name: string; phase: string; version: number; committed: boolean };

let dev: GrecoDev;
beforeAll(async () => {
  dev = await GrecoDev.start();
});
afterAll(() => dev[Symbol.asyncDispose]());

describe("a commit", () => {
  it("is planned, vetoed with the reason, made so, followed, and stands in history and audit", async () => {
    const on = await withVersion1(dev);
    const broken = queryWith("event.amuont * 2.0");
    ok(await on(["draft", "apply", "broken", "-f", "-"], { input: broken }));
    const plan = await on(["plan", "broken"]);
    expect(plan.code).toBe(1);
    expect(plan.stdout).toMatch(
      /✗ conductor-worker would veto\n {4}✗ query\/invoice select.total, column 7: /,
    );
    expect(plan.stdout).toContain("[UNKNOWN_FIELD]\n        → did you mean amount?\n");
    expect(plan.stdout).toMatch(/\nIt would not be committed\.\n$/);
    // Who would claim it vetoes it.
    expect(plan.stdout).not.toContain("CLAIMED_BY_NONE");
    ok(
      await on(["draft", "apply", "wrong", "-f", "-"], {
        input: "kind: Stream\nname: x\nspec: { lanes: 0 }",
      }),
    );
    const invalid = await on(["make-it-so", "wrong"]);
    expect(invalid.stderr).toMatch(/\n {2}stream\/x: lanes must be >= 1, is 0: correct it; /);
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
    const on = await withVersion1(dev);
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
    const on = await withVersion1(dev);
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
    const drafted = ok(
      await on([
        "draft",
        "apply",
        "d",
        "-f",
        await dev.file("model.yaml", MODEL),
        "--as",
        "editor",
        "-o",
        "json",
      ]),
    );
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
    const on = await withVersion1(dev);
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
    const on = await withVersion1(dev);
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
    const on = await withVersion1(dev);
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
    expect(ok(given).stderr).toBe(
      `ordered: invoice gives up ${entry?.lane}:${entry?.seq}; the runtime carries it out when it comes to it\n`,
    );
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

  it("ends when the ingress is away, though more input may come", async () => {
    const on = await withVersion1(dev);
    const args = ["stream", "publish", "orders", "--ingress", "127.0.0.1:1"];
    const ended = await on(args, { input: order("a", 1), stdinStaysOpen: true });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(
      "0 acknowledged, 0 refused\nerror: the ingress does not answer at 127.0.0.1:1",
    );
  });

  it("says what is wrong with a stream's name, and waits audibly for an epoch", async () => {
    const on = await withVersion1(dev);
    const none = await on(["stream", "publish", "order"], { input: order("a", 1) });
    expect(none.stderr).toMatch(
      /did you mean orders\? \[UNKNOWN_STREAM\]\nnext: {2}greco status lists the streams; [^;]*\n$/,
    );
    const builtIn = await on(["stream", "publish", "epochs"], { input: order("a", 1) });
    expect(builtIn.stderr).toContain("[BUILT_IN_STREAM]\nnext:  publish to a stream of your own\n");
    const status = await on(["status", "order"]);
    expect(status).toMatchObject({ code: 1, stdout: "" });
    expect(status.stderr).toContain("did you mean orders? [UNKNOWN_STREAM]");
    expect(ok(await on(["status", "orders"])).stdout).toContain(" is at epoch 1\n");
    const waiting = await on(["stream", "subscribe", "orders", "--from", "epoch:99"], {
      onNote: (_note, kill) => kill("SIGINT"),
    });
    expect(waiting).toMatchObject({ code: 130, stderr: "waits for epoch 99; the ledger is at 1\n" });
  });

  it("ends with 130 on Ctrl-C, and quietly when its reader has seen enough", async () => {
    const on = await withVersion1(dev);
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

    const many = Array.from({ length: 2_000 }, (_, n) => order(`n${n}`, n)).join("");
    ok(await on(["stream", "publish", "orders"], { input: many }));
    const [, model = ""] = /models\/(\S+) is at epoch/.exec(ok(await on(["status"])).stdout) ?? [];
    const head = "greco stream subscribe orders --from beginning | head -1; echo ${PIPESTATUS[0]}";
    const seen = await shell(head, { env: { GRECO_DATA: dev.data, GRECO_MODEL: model } });
    expect(seen).toMatchObject({ code: 0, stderr: "" });
    expect(lines(seen.stdout)).toEqual([expect.stringContaining("epoch 1 from here on"), "0"]);
  });
});
