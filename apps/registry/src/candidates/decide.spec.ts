import { StoreUnknownError, type CpStore } from "@greco/ports";
import { systemClock } from "@greco/service-kit";
import { faultyCpStore, seededRandom } from "@greco/simulation";
import { expect, it } from "vitest";
import {
  commit,
  createModel,
  draftOf,
  frozen,
  newId,
  onStore,
  openRegistry,
  openStore,
  options,
  promoted,
  signal,
  stream,
} from "../testing/harness.ts";

/** The first answer to a transaction that writes the head is lost, after or before it took effect. */
function losing(effect: boolean): { wrap: (store: CpStore) => CpStore; lost: () => number } {
  let lost = 0;
  const wrap = (store: CpStore): CpStore =>
    Object.assign(Object.create(store) as CpStore, {
      transact: (async (transaction, each) => {
        const decides = transaction.then.some(
          (operation) => operation.type === "put" && operation.key.startsWith("version/"),
        );
        if (!decides || lost > 0) return await store.transact(transaction, each);
        lost += 1;
        if (effect) await store.transact(transaction, each);
        throw new StoreUnknownError("the answer was lost");
      }) satisfies CpStore["transact"],
    });
  return { wrap, lost: () => lost };
}

for (const effect of [true, false])
  it(`I2: reads an ambiguous promote back before it tells anyone (${effect ? "it had" : "it had not"} taken effect)`, async () => {
    const { wrap, lost } = losing(effect);
    await using registry = await openRegistry({ wrap });
    await createModel(registry);
    const candidate = await frozen(
      registry,
      "m",
      await draftOf(registry.as("ada"), "m", { "stream/a": stream() }),
    );
    const decision = await promoted(registry, "m", candidate);
    expect([lost(), decision.decidedNow, decision.candidate?.promotedVersion]).toEqual([1, true, 1n]);
    const { versions } = await registry.as("ada").listVersions({ parent: "models/m" }, options);
    expect(versions.map(({ number, candidate: id }) => [number, id])).toEqual([[1n, candidate.id]]);
    const { auditRecords } = await registry.as("ada").listAuditRecords({ parent: "models/m" }, options);
    expect(auditRecords.filter(({ outcome }) => outcome === "promoted")).toHaveLength(1);
    expect(await commit(registry, "m", { "stream/b": stream() })).toBe(2);
  });

it("I2: over a store that loses and delays, all who learn an outcome learn the same, and versions are a chain (I3)", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = seededRandom(seed);
  await using store = await openStore();
  const faults = { lostRequest: 0.1, lateEffect: 0.1, lostAnswer: 0.1, delayMs: 8, clock: systemClock };
  const nets: ReturnType<typeof faultyCpStore>[] = [];
  const wrap = (inner: CpStore): CpStore => {
    const net = faultyCpStore(inner, random.fork(), faults);
    nets.push(net);
    return net;
  };
  await using registry = await onStore(store);
  await createModel(registry);
  await using one = await onStore(store, { wrap });
  await using two = await onStore(store, { wrap });
  const outcomes = new Map<string, Set<string>>();
  for (let round = 0; round < 12; round++) {
    const name = newId("s");
    const candidate = await frozen(
      registry,
      "m",
      await draftOf(registry.as("ada"), "m", { [`stream/${name}`]: stream() }),
    );
    const request = { parent: "models/m", candidate: candidate.id };
    const promote = (at: typeof one) =>
      at.as("control:c").promote({ ...request, digest: candidate.digest, actor: "rel" }, options);
    const discard = (at: typeof one) => at.as("control:c").discard({ ...request, reason: "r" }, options);
    const calls = random.shuffled([promote(one), promote(two), discard(one), discard(two), promote(one)]);
    const learned = new Set<string>();
    for (const result of await Promise.allSettled(calls))
      if (result.status === "fulfilled" && result.value.refused === "")
        learned.add(`${result.value.candidate?.state} ${result.value.candidate?.promotedVersion}`);
    outcomes.set(candidate.id, learned);
    await Promise.all(nets.map((net) => net.settled()));
    const final = await registry.as("control:c").discard({ ...request, reason: "late" }, options);
    learned.add(`${final.candidate?.state} ${final.candidate?.promotedVersion}`);
    expect([...learned], `seed ${seed}, ${candidate.id}`).toHaveLength(1);
  }
  const { versions } = await registry.as("ada").listVersions({ parent: "models/m", pageSize: 1000 }, options);
  expect(
    versions.map(({ number }) => number),
    `seed ${seed}`,
  ).toEqual(versions.map((_, n) => BigInt(versions.length - n)));
  for (const { candidate, number } of versions)
    expect([...(outcomes.get(candidate) ?? [])]).toEqual([`2 ${number}`]);
  const head = await store.range({ key: "head/m" }, {}, signal);
  expect(JSON.parse(Buffer.from(head.entries[0]?.value ?? []).toString())).toMatchObject({
    version: versions.length,
  });
}, 60_000);
