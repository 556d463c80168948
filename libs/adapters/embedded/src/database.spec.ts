// What the stores rest on: durable groups, jobs that fail alone, locks of other processes. The contract suites run on top.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Database, openDatabase } from "./database.ts";
import { QUEUE_MAX } from "./write-queue.ts";

const SCHEMA = `CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`;
const signal = new AbortController().signal;

let folder: string;
let path: string;
let database: Database;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "greco-embedded-"));
  path = join(folder, "deeper", "data.db");
  database = await openDatabase(path, SCHEMA, 200);
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const insert = (name: string): number | bigint =>
  database.prepare("INSERT INTO fact VALUES (?, 'x')").run(name).changes;
const names = (): Promise<string[]> =>
  database.read(
    () =>
      database
        .prepare("SELECT name FROM fact ORDER BY name")
        .all()
        .map((row) => row["name"] as string),
    signal,
  );

it("I1, I8: has each commit synced to the disk before it is answered", async () => {
  expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
});

it("commits what arrives in one turn as one transaction", async () => {
  const before = database.news.count;
  await Promise.all(
    Array.from({ length: 50 }, (_, index) => database.write(() => insert(`f${index}`), signal)),
  );
  expect((await names()).length).toBe(50);
  expect(database.news.count).toBe(before + 1);
});

it("undoes a job that throws, and no other of its group", async () => {
  const failing = database.write(() => {
    insert("undone");
    throw new Error("the job's own fault");
  }, signal);
  const outcomes = await Promise.allSettled([
    database.write(() => insert("before"), signal),
    failing,
    database.write(() => insert("behind"), signal),
  ]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await expect(failing).rejects.toThrow("the job's own fault");
  expect(await names()).toEqual(["before", "behind"]);
});

it("leaves out a job that was given up while it waited", async () => {
  const giveUp = new AbortController();
  const reason = new Error("given up");
  const given = database.write(() => insert("given-up"), giveUp.signal);
  const other = database.write(() => insert("other"), signal);
  giveUp.abort(reason);
  await expect(given).rejects.toBe(reason);
  await other;
  expect(await names()).toEqual(["other"]);
});

it("refuses more than it can hold, with nothing done, and carries out what it took", async () => {
  const writes = Array.from({ length: QUEUE_MAX + 5 }, (_, index) =>
    database.write(() => (index % 1_000 === 0 ? insert(`f${index}`) : 0), signal),
  );
  const outcomes = await Promise.allSettled(writes);
  const refused = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [outcome.reason as unknown] : [],
  );
  expect(refused.length).toBe(5);
  for (const reason of refused) expect(reason).toBeInstanceOf(StoreUnavailableError);
  expect((await names()).length).toBe(QUEUE_MAX / 1_000);
});

it("waits for another process's transaction without stopping the event loop", async () => {
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE; INSERT INTO fact VALUES ('theirs', 'x')");
  let turns = 0;
  const writing = database.write(() => insert("ours"), signal);
  while (turns < 5) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  other.exec("COMMIT");
  other.close();
  await writing;
  expect(await names()).toEqual(["ours", "theirs"]);
});

it("gives up with nothing changed when the lock is not to be had, and goes on afterwards", async () => {
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const refused = await Promise.allSettled([
    database.write(() => insert("a"), signal),
    database.write(() => insert("b"), signal),
  ]);
  for (const outcome of refused)
    expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(StoreUnavailableError);
  other.exec("COMMIT");
  other.close();
  await database.write(() => insert("c"), signal);
  expect(await names()).toEqual(["c"]);
});

it("says that nothing was changed when the disk is full", async () => {
  const { page_count: pages } = database.prepare("PRAGMA page_count").get() as { page_count: number };
  database.prepare(`PRAGMA max_page_count = ${pages}`).get();
  const large = database.write(
    () => database.prepare("INSERT INTO fact VALUES ('large', ?)").run("x".repeat(1_000_000)),
    signal,
  );
  await expect(large).rejects.toBeInstanceOf(StoreUnavailableError);
  database.prepare("PRAGMA max_page_count = 100000").get();
  await database.write(() => insert("small"), signal);
  expect(await names()).toEqual(["small"]);
});

it("says that nobody knows when the commit itself fails", async () => {
  const orphan = database.write(() => database.prepare("INSERT INTO child VALUES (1, 99)").run(), signal);
  await expect(orphan).rejects.toBeInstanceOf(StoreUnknownError);
  await database.write(() => insert("next"), signal);
  expect(await names()).toEqual(["next"]);
});

it("I15: says so when the file is no data file", async () => {
  const foreign = join(folder, "foreign.txt");
  await writeFile(foreign, "this is not a database, and it is long enough to be seen as none".repeat(20));
  await expect(openDatabase(foreign, SCHEMA)).rejects.toThrow(/cannot open .*foreign\.txt/);
});

it("opens one new file in many handles at once", async () => {
  const fresh = join(folder, "fresh.db");
  const handles = await Promise.all(Array.from({ length: 6 }, () => openDatabase(fresh, SCHEMA)));
  await Promise.all(
    handles.map((handle, index) =>
      handle.write(() => handle.prepare("INSERT INTO fact VALUES (?, '')").run(String(index)), signal),
    ),
  );
  const last = handles.at(-1) as Database;
  const counted = await last.read(() => last.prepare("SELECT count(*) AS n FROM fact").get(), signal);
  expect(counted).toEqual({ n: 6 });
  for (const handle of handles) await handle[Symbol.asyncDispose]();
});

it("hears of other handles' commits while it waits, and does not poll when nobody does", async () => {
  await using other = await openDatabase(path, SCHEMA);
  const seen = database.news.count;
  const heard = database.news.after(seen, signal);
  await other.write(() => other.prepare("INSERT INTO fact VALUES ('theirs', '')").run(), signal);
  await heard;
  expect(database.news.count).toBeGreaterThan(seen);
});
