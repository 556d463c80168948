import { expect, it } from "vitest";
import type { CpStore } from "@greco/ports";
import {
  all,
  commit,
  createModel,
  openRegistry,
  options,
  signal,
  stream,
  onStore,
  openStore,
  type TestRegistry,
} from "../testing/harness.ts";

const limits = {
  snapshotChangesMin: 4,
  snapshotVersions: 5,
  snapshotsKept: 2,
  chunkBytes: 300,
  versionsCached: 2,
};

const snapshotsIn = async (store: CpStore): Promise<number[]> =>
  (await store.range({ prefix: "snapshot/m/" }, {}, signal)).entries.map(({ key }) =>
    Number(key.split("/").at(-1)),
  );

async function contentAt(registry: TestRegistry, version: number): Promise<string> {
  const view = { at: { case: "version", value: BigInt(version) } as const };
  const parts = await all(registry.as("ada").snapshot({ parent: "models/m", view }, options));
  return parts
    .flatMap(({ entities }) =>
      entities.map((each) => `${each.name} ${each.specJson} ${each.createdVersion} ${each.changedVersion}`),
    )
    .join("\n");
}

it("writes snapshots as changes or versions add up, keeps the newest, and boots from them", async () => {
  await using store = await openStore();
  const reads: string[] = [];
  const at: string[] = [""];
  {
    await using registry = await onStore(store, { limits });
    await createModel(registry);
    for (let n = 1; n <= 22; n++) {
      await commit(registry, "m", {
        "stream/a": stream((n % 60) + 1),
        [`stream/b${n % 7}`]: n % 3 === 0 && n > 7 ? null : stream(n),
      });
      await registry.running.idle();
      at[n] = await contentAt(registry, n);
    }
  }
  const kept = await snapshotsIn(store);
  expect(kept).toHaveLength(2);
  expect(kept.at(-1)).toBeGreaterThan(15);
  const chunks = (await store.range({ prefix: "snapshot-chunk/" }, { keysOnly: true }, signal)).entries;
  expect(new Set(chunks.map(({ key }) => Number(key.split("/")[2])))).toEqual(new Set(kept));

  const wrap = (inner: CpStore): CpStore =>
    Object.assign(Object.create(inner) as CpStore, {
      range: ((range, each, own) => {
        reads.push("prefix" in range ? range.prefix : range.key);
        return inner.range(range, each, own);
      }) satisfies CpStore["range"],
    });
  await using registry = await onStore(store, { limits, wrap });
  expect(await contentAt(registry, 22)).toBe(at[22]);
  const folded = new Set(reads.filter((key) => key.startsWith("candidate-chunk/")));
  expect(folded.size).toBe(22 - (kept.at(-1) ?? 0));
  for (const version of [22, 3, kept[0] ?? 0, 1, 10])
    expect(await contentAt(registry, version)).toBe(at[version]);
  expect(await contentAt(registry, 0)).toBe("");
});

it("notices content that is not what was sealed, and builds nothing on it", async () => {
  await using store = await openStore();
  {
    await using registry = await onStore(store);
    await createModel(registry);
    await commit(registry, "m", { "stream/a": stream() });
  }
  const chunk = (await store.range({ prefix: "candidate-chunk/m/" }, {}, signal)).entries.find(({ key }) =>
    key.includes("/c-"),
  );
  const value = Buffer.from(String(Buffer.from(chunk?.value ?? [])).replace("true", "null"));
  await store.transact({ compare: [], then: [{ type: "put", key: chunk?.key ?? "", value }] }, signal);
  await using registry = await onStore(store);
  await expect(contentAt(registry, 1)).rejects.toMatchObject({ code: "INTERNAL" });
  expect((await registry.as("ada").getModel({ name: "models/m" }, options)).headVersion).toBe(1n);
});

it("has a registry's state follow its store through lost watches and compaction", async () => {
  await using registry = await openRegistry();
  await using replica = await registry.replica();
  await createModel(registry);
  for (let n = 1; n <= 3; n++) {
    await commit(registry, "m", { [`stream/s${n}`]: stream() });
    const { revision } = await registry.store.range({ key: "head/m" }, {}, signal);
    await registry.store.compact(revision, signal);
    const view = { minVersion: BigInt(n) };
    const parts = await all(replica.as("ada").snapshot({ parent: "models/m", view }, options));
    expect(parts.flatMap(({ entities }) => entities)).toHaveLength(n);
  }
});
