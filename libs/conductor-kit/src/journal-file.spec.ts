import { join } from "node:path";
import { openEmbeddedBindingStore } from "@greco/adapter-embedded";
import { candidateId, conductorId, modelId } from "@greco/domain/model";
import { FencedError, type BindingStore } from "@greco/ports";
import { systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JournalFile } from "./journal-file.ts";
import type { JournalEntry } from "./journal.ts";
import { temporaryFolder } from "./testing/index.ts";

const { signal } = new AbortController();
const stack = new AsyncDisposableStack();
const model = modelId("m");
let bindingStore: BindingStore;

beforeAll(async () => {
  const { path } = stack.use(temporaryFolder("journal"));
  bindingStore = stack.use(
    await openEmbeddedBindingStore({ path: join(path, "b.sqlite"), clock: systemClock }),
  );
});
afterAll(() => stack[Symbol.asyncDispose]());

async function open(name: string, compactAfter = 100, compactAfterChars = 1e6): Promise<JournalFile> {
  const conductor = conductorId(name);
  const { incarnation } = await bindingStore.takeConductor(model, conductor, signal);
  const options = { bindingStore, model, conductor, incarnation, compactAfter, compactAfterChars };
  return JournalFile.open(options, signal);
}
const tombstone = (n: number): JournalEntry => ({
  type: "tombstoned",
  candidate: candidateId(`c${n}`),
  digest: "d",
});
const undone = (n: number): JournalEntry => ({ type: "undone", candidate: candidateId(`c${n}`) });
const records = async (name: string) => bindingStore.readJournal(model, conductorId(name), 0, 1_000, signal);

describe("the journal in its store", () => {
  it("is read as it was written, with the place in the control log to go on from", async () => {
    const first = await open("a");
    await first.append([tombstone(1), undone(1)], 7, signal);
    await first.append([tombstone(2)], 5, signal);
    const again = await open("a");
    expect([again.state, again.position]).toEqual([first.state, 7]);
    expect(again.state.candidates.get(candidateId("c2"))?.phase).toBe("undoing");
  });

  it("I1: refuses what an incarnation writes that was taken over, and keeps none of it", async () => {
    const first = await open("b");
    const second = await open("b");
    await expect(first.append([tombstone(1)], 1, signal)).rejects.toBeInstanceOf(FencedError);
    await second.append([tombstone(2)], 1, signal);
    expect(await records("b")).toHaveLength(1);
  });

  it("is compacted when it grew long, by records or by size, and says the same", async () => {
    for (const [name, records_, chars] of [
      ["c", 5, 1e6],
      ["d", 100, 400],
    ] as const) {
      const file = await open(name, records_, chars);
      for (let n = 1; n <= 9; n++) await file.append([tombstone(n), undone(n)], n, signal);
      await file.append([tombstone(10)], 10, signal);
      expect((await records(name)).length).toBeLessThan(8);
      const again = await open(name);
      expect([again.state, again.position]).toEqual([file.state, 10]);
      await again.append([undone(10)], 11, signal);
      expect((await open(name)).state.candidates.size).toBe(10);
    }
  });
});
