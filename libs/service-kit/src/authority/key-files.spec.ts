import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "@greco/ports";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLog } from "../log.ts";
import { createDevKeys, keysFromFile } from "./key-files.ts";
import { tokenVerifier } from "./tokens.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "greco-keys-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

function settableClock(): Clock & { passMs(ms: number): void } {
  let now = 1_700_000_000_000;
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    sleep: () => Promise.reject(new Error("nothing here sleeps")),
    passMs: (ms) => (now += ms),
  };
}

const silent = createLog({ service: "test", level: "silent" });

it("makes keys once, readable by their owner alone, and the same ones ever after", async () => {
  const clock = settableClock();
  const [keys, again] = await Promise.all([createDevKeys(dir, clock), createDevKeys(dir, clock)]);
  expect((await stat(join(dir, "signing-key.json"))).mode & 0o777).toBe(0o600);
  expect(await readFile(keys.keysFile, "utf8")).not.toContain('"d"');
  expect((await readdir(dir)).toSorted()).toEqual(["keys.json", "signing-key.json"]);
  const verifier = tokenVerifier(await keysFromFile(keys.keysFile, clock, silent), clock);
  for (const each of [keys, again, await createDevKeys(dir, clock)])
    expect(await verifier.verify(await each.issue({ subject: "ada" }))).toEqual({ subject: "ada" });
});

it("I14: refuses tokens of a key that was taken out of the file, and takes those of a new one", async () => {
  const clock = settableClock();
  const [old, next] = [
    await createDevKeys(join(dir, "old"), clock),
    await createDevKeys(join(dir, "new"), clock),
  ];
  const verifier = tokenVerifier(await keysFromFile(old.keysFile, clock, silent), clock);
  const [oldToken, newToken] = [await old.issue({ subject: "ada" }), await next.issue({ subject: "bob" })];
  expect(await verifier.verify(oldToken)).toEqual({ subject: "ada" });
  await writeFile(old.keysFile, await readFile(next.keysFile));
  clock.passMs(1_001);
  await expect(verifier.verify(oldToken)).rejects.toMatchObject({ reason: "TOKEN_KEY" });
  expect(await verifier.verify(newToken)).toEqual({ subject: "bob" });
});

it("keeps the keys, and says so, while the file is broken", async () => {
  const clock = settableClock();
  const keys = await createDevKeys(dir, clock);
  const lines: string[] = [];
  const log = createLog({ service: "test", write: (line) => lines.push(line) });
  const verifier = tokenVerifier(await keysFromFile(keys.keysFile, clock, log), clock);
  await writeFile(keys.keysFile, '{"keys": [');
  clock.passMs(1_001);
  expect(await verifier.verify(await keys.issue({ subject: "ada" }))).toEqual({ subject: "ada" });
  expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(["keys.unreadable"]);
});

it("does not start without keys", async () => {
  await expect(keysFromFile(join(dir, "none.json"), settableClock(), silent)).rejects.toThrow("ENOENT");
  await writeFile(join(dir, "empty.json"), '{"keys": []}');
  await expect(keysFromFile(join(dir, "empty.json"), settableClock(), silent)).rejects.toThrow(
    "holds no keys",
  );
});
