// [A-memory] What passes through the registry is not held by it: a snapshot of 100,000 entities as a stream, and a
// draft of 10,000 changes through diff, plan (its preview) and commit, in a process that holds the model.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import {
  benchClients,
  commitDraft,
  editDraft,
  entityOf,
  loadModel,
  openBenchRegistry,
  type BenchClients,
} from "../registry.ts";

const ENTITIES = 100_000;
const CHANGES = 10_000;
const LIMIT_MIB = 64;
const ROUNDS = 3;
const MODEL = "m";
/** As apps/registry/src/main.ts is to be run: V8's young generation would else take some 60 MiB of garbage by itself. */
const REGISTRY_FLAGS = ["--max-semi-space-size=8"];

type Answer = { readonly address: string; readonly baselineMiB: number; readonly growthMiB: number };

/** One process, one path through it, from a fresh baseline. */
async function growthOf(
  folder: string,
  work: (clients: BenchClients, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<{ growthMiB: number; baselineMiB: number }> {
  const child = fork(join(import.meta.dirname, "../memory-of.ts"), [folder], {
    execArgv: ["--expose-gc", ...REGISTRY_FLAGS],
    signal,
  });
  try {
    const { address } = await answerOf(child);
    await using clients = benchClients(address);
    // The model itself is not counted.
    await readSnapshot(clients, signal, 1);
    const { baselineMiB } = await ask(child, "baseline");
    await work(clients, signal);
    const { growthMiB } = await ask(child, "peak");
    return { growthMiB, baselineMiB };
  } finally {
    const ended = once(child, "exit");
    if (child.connected) child.send("stop");
    await ended;
  }
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const [answer] = (await once(child, "message")) as [Answer];
  return answer;
}

async function ask(child: ChildProcess, question: string): Promise<Answer> {
  const answer = answerOf(child);
  child.send(question);
  return await answer;
}

/** `partsMax`: the first ones are enough to have the model loaded. */
async function readSnapshot({ person }: BenchClients, signal: AbortSignal, partsMax: number): Promise<void> {
  let entities = 0;
  let parts = 0;
  for await (const part of person.snapshot({ parent: `models/${MODEL}` }, { signal })) {
    entities += part.entities.length;
    parts += 1;
    if (parts === partsMax) return;
  }
  if (entities !== ENTITIES) throw new Error(`the snapshot had ${entities} entities`);
}

async function throughDraft(clients: BenchClients, signal: AbortSignal): Promise<void> {
  const { person, control } = clients;
  const entities = Array.from({ length: CHANGES }, (_, index) => entityOf(index * 10 + 2, 1));
  const draft = await editDraft(person, MODEL, "large", entities, signal);
  let differences = 0;
  let pageToken = "";
  do {
    const page = await person.diffDraft({ name: draft.name, pageSize: 1_000, pageToken }, { signal });
    differences += page.differences.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  let planned = 0;
  for await (const part of control.previewDraft({ name: draft.name }, { signal }))
    planned += part.changes.length;
  if (differences !== CHANGES || planned !== CHANGES)
    throw new Error(`${differences} differences, ${planned} planned`);
  await commitDraft(control, MODEL, draft, signal);
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  const growths: { snapshot: number[]; draft: number[] } = { snapshot: [], draft: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const folder = await mkdtemp(join(tmpdir(), "greco-bench-"));
    try {
      await using registry = await openBenchRegistry(signal, folder);
      await loadModel(registry, MODEL, ENTITIES, signal);
      await registry[Symbol.asyncDispose]();
      const whole = (clients: BenchClients, each: AbortSignal) => readSnapshot(clients, each, Infinity);
      const snapshot = await growthOf(folder, whole, signal);
      const draft = await growthOf(folder, throughDraft, signal);
      say(
        `round ${round + 1}: snapshot +${snapshot.growthMiB.toFixed(1)} MiB over ${snapshot.baselineMiB.toFixed(0)}, ` +
          `draft +${draft.growthMiB.toFixed(1)} MiB over ${draft.baselineMiB.toFixed(0)}`,
      );
      growths.snapshot.push(snapshot.growthMiB);
      growths.draft.push(draft.growthMiB);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const [snapshot, draft] = [Math.max(...growths.snapshot), Math.max(...growths.draft)];
  return {
    figure: `snapshot +${snapshot.toFixed(1)} MiB; draft +${draft.toFixed(1)} MiB (the highest of ${ROUNDS} processes each)`,
    pass: snapshot <= LIMIT_MIB && draft <= LIMIT_MIB,
    details: growths,
  };
}

export const bench: Bench = {
  id: "A-memory",
  title: `resident memory beyond the model: a snapshot of ${ENTITIES} entities; a draft of ${CHANGES} changes`,
  limit: `≤ ${LIMIT_MIB} MiB`,
  run,
};
