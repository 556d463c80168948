import { keys } from "@greco/control-kit";
import type { CpStore } from "@greco/ports";
import { systemIds } from "@greco/service-kit";
import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { REGISTRY_LIMITS } from "./limits.ts";
import { compaction, sweep } from "./sweeper.ts";
import {
  commit,
  createModel,
  draftOf,
  frozen,
  openRegistry,
  options,
  refusalOf,
  signal,
  silent,
  stream,
} from "./testing/harness.ts";

const clock = simulatedClock(Date.now());
const sweepOf = (store: CpStore) =>
  sweep({ store, clock, ids: systemIds, log: silent, limits: REGISTRY_LIMITS }, signal);

const keysUnder = async (store: CpStore, prefix: string): Promise<string[]> =>
  (await store.range({ prefix }, { keysOnly: true }, signal)).entries.map(({ key }) => key);

it("collects a discarded candidate's changes after a while, and nothing else", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream() });
  const control = registry.as("control:c");
  const parent = "models/m";
  const [gone, open] = [
    await frozen(registry, "m", await draftOf(registry.as("ada"), "m", { "stream/b": stream() })),
    await frozen(registry, "m", await draftOf(registry.as("ada"), "m", { "stream/c": stream() })),
  ];
  await control.discard({ parent, candidate: gone.id }, options);
  const before = await keysUnder(registry.store, "");
  expect(await sweepOf(registry.store)).toBe(0);
  await clock.advance(REGISTRY_LIMITS.discardedKeptMs + 60_000);
  expect(await sweepOf(registry.store)).toBe(1);
  const taken = before.filter(
    (key) =>
      key.startsWith(keys.candidateChunks("m", gone.id)) || key === keys.pendingCandidate("m", gone.id),
  );
  expect(taken.length).toBeGreaterThan(1);
  expect(await keysUnder(registry.store, "")).toEqual(before.filter((key) => !taken.includes(key)));
  expect(await sweepOf(registry.store)).toBe(0);

  await using replica = await registry.replica();
  const read = async () => {
    for await (const each of replica
      .as("control:c")
      .getCandidateChanges({ parent, candidate: gone.id }, options))
      return each;
    return undefined;
  };
  expect(await refusalOf(read())).toBe("NOT_FOUND CANDIDATE_COLLECTED");
  expect(
    (await replica.as("control:c").discard({ parent, candidate: gone.id }, options)).candidate?.state,
  ).toBe(3);
  expect(
    (await replica.as("control:c").promote({ parent, candidate: open.id, digest: open.digest }, options))
      .decidedNow,
  ).toBe(true);
});

it("removes a freeze that died half-way; a repeat takes it over before that", async () => {
  let dies = true;
  const wrap = (store: CpStore): CpStore =>
    Object.assign(Object.create(store) as CpStore, {
      transact: (async (transaction, each) => {
        if (
          dies &&
          transaction.then.some(
            (operation) => operation.type === "put" && operation.key.startsWith("frozen/"),
          )
        )
          throw new Error("died");
        return await store.transact(transaction, each);
      }) satisfies CpStore["transact"],
    });
  await using registry = await openRegistry({ wrap, limits: { chunkBytes: 200 } });
  await createModel(registry);
  const specs = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`stream/s${n}`, stream()]));
  const draft = await draftOf(registry.as("ada"), "m", specs);
  expect(await refusalOf(frozen(registry, "m", draft, "one"))).toBe("INTERNAL INTERNAL");
  expect(await refusalOf(frozen(registry, "m", draft, "two"))).toBe("INTERNAL INTERNAL");
  const control = registry.as("control:c");
  const promote = control.promote({ parent: "models/m", candidate: "one", digest: "0".repeat(64) }, options);
  expect(await refusalOf(promote)).toBe("FAILED_PRECONDITION CANDIDATE_NOT_SEALED");
  dies = false;
  expect((await frozen(registry, "m", draft, "one")).changeCount).toBe(20n);
  await clock.advance(REGISTRY_LIMITS.unsealedKeptMs + 60_000);
  expect(await sweepOf(registry.store)).toBe(1);
  const left = await keysUnder(registry.store, "candidate");
  expect(left.filter((key) => key.includes("/two"))).toEqual([]);
  expect(left).toContain(keys.candidate("m", "one"));
});

it("forgets request ids after a day", async () => {
  await using registry = await openRegistry();
  await registry.as("ada").createModel({ modelId: "m", requestId: "r" }, options);
  expect(await keysUnder(registry.store, keys.allRequests())).toHaveLength(1);
  await clock.advance(REGISTRY_LIMITS.requestKeptMs + 60_000);
  await sweepOf(registry.store);
  expect(await keysUnder(registry.store, keys.allRequests())).toEqual([]);
});

it("lets the store forget old revisions, and nothing of what is there", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const sweeping = { store: registry.store, clock, ids: systemIds, log: silent, limits: REGISTRY_LIMITS };
  const compact = compaction(sweeping);
  const { revision } = await registry.store.range({ key: "head/m" }, {}, signal);
  await compact(signal);
  await commit(registry, "m", { "stream/a": stream() });
  await clock.advance(REGISTRY_LIMITS.historyKeptMs / 2);
  await compact(signal);
  const before = await keysUnder(registry.store, "");
  const past = () => registry.store.range({ key: "head/m" }, { revision: revision - 1 }, signal);
  expect((await past()).entries).toEqual([]);
  await clock.advance(REGISTRY_LIMITS.historyKeptMs / 2);
  await compact(signal);
  await expect(past()).rejects.toThrow("compacted");
  expect((await registry.store.range({ key: "head/m" }, { revision }, signal)).entries).toHaveLength(1);
  expect(await keysUnder(registry.store, "")).toEqual(before);
  await compaction(sweeping)(signal);
  expect(await commit(registry, "m", { "stream/b": stream() })).toBe(2);
});
