// I1, I8: a process that is killed with -9 in the middle of its writes leaves behind all that it acknowledged.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LaneId, Seq } from "@greco/domain/lane";
import type { ConductorId, ModelId } from "@greco/domain/model";
import { forSeeds } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { openEmbeddedBindingStore } from "./binding-store.ts";
import { openEmbeddedCpStore } from "./cp-store.ts";
import { openEmbeddedLaneStore } from "./lane-store.ts";

const signal = new AbortController().signal;
const model = "m" as ModelId;

type Acknowledged = Map<string, number>;
type Child = AsyncDisposable & {
  readonly name: string;
  readonly acknowledged: Acknowledged;
  /** Resolves when so many more acknowledgements have come. */
  more(count: number): Promise<void>;
  /** kill -9; resolves when everything that it printed has been read. */
  kill(): Promise<void>;
};

function start(folder: string, name: string): Child {
  const script = join(import.meta.dirname, "testing", "kill-child.ts");
  const child = spawn(process.execPath, [script, folder, name], { stdio: ["ignore", "pipe", "inherit"] });
  const acknowledged: Acknowledged = new Map();
  const waiting = new Set<() => void>();
  let count = 0;
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    const [what = "", number] = line.split(" ");
    acknowledged.set(what, Number(number));
    count++;
    for (const look of waiting) look();
  });
  const ended = once(lines, "close");
  const more = (wanted: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const target = count + wanted;
      const look = (): void => {
        if (count < target) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      void ended.then(() => reject(new Error(`${name} ended after ${count} acknowledgements`)));
      look();
    });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  return { name, acknowledged, more, kill, [Symbol.asyncDispose]: kill };
}

/** Checks what is there against what was acknowledged. */
async function check(folder: string, { name, acknowledged }: Child): Promise<void> {
  const clock = simulatedClock();
  await using cp = await openEmbeddedCpStore({ path: join(folder, "cp.db"), clock }, signal);
  await using lanes = await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock });
  await using bindings = await openEmbeddedBindingStore({ path: join(folder, "bindings.db"), clock });
  for (const lane of [`${name}-1`, `${name}-2`] as LaneId[]) {
    const tail = await lanes.tail(model, lane, signal);
    // All of an append or nothing of it.
    expect(tail % 3).toBe(0);
    expect(tail).toBeGreaterThanOrEqual(acknowledged.get(lane) ?? 0);
    for (let seq = 1; seq <= tail;) {
      const { entries } = await lanes.read(model, lane, seq as Seq, 500, signal);
      expect(entries.length).toBeGreaterThan(0);
      for (const entry of entries) {
        const payload = entry.kind === "data" ? new TextDecoder().decode(entry.payload) : "";
        expect(payload).toBe(`${lane} ${seq++}`);
      }
    }
  }
  const { entries: pairs } = await cp.range({ prefix: `${name}/` }, { keysOnly: true }, signal);
  const keys = new Set(pairs.map((entry) => entry.key));
  for (let number = 1; number <= (acknowledged.get("cp") ?? 0); number++)
    expect([keys.has(`${name}/a/${number}`), keys.has(`${name}/b/${number}`)]).toEqual([true, true]);
  // Transactions come whole, acknowledged or not.
  expect(keys.size % 2).toBe(0);
  const records = await bindings.readJournal(model, name as ConductorId, 0, 1_000_000, signal);
  expect(records.length).toBeGreaterThanOrEqual(acknowledged.get("journal") ?? 0);
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "greco-kill-"));
  await body(folder).finally(() => rm(folder, { recursive: true, force: true }));
}

it("I8: keeps all that was acknowledged through kill -9 at a random moment, again and again", () =>
  inFolder((folder) =>
    forSeeds(async (random) => {
      for (let round = 0; round < 2; round++) {
        await using child = start(folder, `round-${random.integer(2 ** 31)}`);
        await child.more(100 + random.integer(1_500));
        await child.kill();
        await check(folder, child);
      }
    }),
  ));

it("I1, I8: goes on in one process while another on the same files is killed", () =>
  inFolder(async (folder) => {
    await using stays = start(folder, "stays");
    for (let round = 0; round < 2; round++) {
      await using dies = start(folder, `dies-${round}`);
      await dies.more(100);
      await dies.kill();
      await stays.more(100);
      await check(folder, dies);
    }
    await stays.kill();
    await check(folder, stays);
  }));
