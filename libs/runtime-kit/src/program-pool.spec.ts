import type { Program } from "@greco/ports";
import type { SimulatedClock } from "@greco/simulation";
import { simulatedClock } from "@greco/simulation";
import { beforeEach, expect, it } from "vitest";
import type { Executor } from "./program-pool.ts";
import { ProgramPool } from "./program-pool.ts";
import { directLog } from "./testing/world.ts";

const program: Program = { id: "p", query: "{}", tables: {} };
let clock: SimulatedClock;
let calls: string[];
let fails: boolean;
let pool: ProgramPool;

beforeEach(() => {
  clock = simulatedClock();
  calls = [];
  fails = false;
  const host: Executor = {
    load: async ({ id }) => {
      calls.push(`load ${id}`);
      if (fails) throw new Error("it does not compile");
      await Promise.resolve();
    },
    invoke: () => Promise.resolve([]),
    unload: (id) => void calls.push(`unload ${id}`),
  };
  const { signal } = new AbortController();
  pool = new ProgramPool({ host, clock, log: directLog([]), lingerMs: 1_000, signal });
});

it("loads a program once for all who need it, and unloads it a while after the last has left", async () => {
  await Promise.all([pool.acquire(program), pool.acquire(program)]);
  pool.release("p");
  pool.sweep();
  pool.release("p");
  await clock.advance(999);
  pool.sweep();
  expect(calls).toEqual(["load p"]);
  await clock.advance(1);
  pool.sweep();
  expect(calls).toEqual(["load p", "unload p"]);
});

it("keeps it when somebody needs it again meanwhile", async () => {
  await pool.acquire(program);
  pool.release("p");
  await clock.advance(500);
  await pool.acquire(program);
  await clock.advance(5_000);
  pool.sweep();
  expect(calls).toEqual(["load p"]);
});

it("tries again what could not be loaded", async () => {
  fails = true;
  await expect(pool.acquire(program)).rejects.toThrow("it does not compile");
  pool.preload(program);
  await clock.advance(1);
  fails = false;
  await pool.acquire(program);
  expect(calls).toEqual(["load p", "load p", "load p"]);
});

it("keeps what was loaded ahead for as long as a marker may take to come", async () => {
  pool.preload(program);
  await clock.advance(500);
  pool.sweep();
  await pool.acquire(program);
  expect(calls).toEqual(["load p"]);
});
