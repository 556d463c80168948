import { expect, it } from "vitest";
import type { CpStore } from "@greco/ports";
import type { Candidate } from "@greco/contracts/greco/registry/v1/registry";
import { Candidate_State } from "@greco/contracts/greco/registry/v1/registry";
import { encodeRegistrations, decodeRegistrations, keys } from "@greco/control-kit";
import {
  createModel,
  draftOf,
  frozen,
  openRegistry,
  options,
  promoted,
  refusalOf,
  signal,
  stream,
  type Specs,
  type TestRegistry,
} from "../testing/harness.ts";

const control = (registry: TestRegistry) => registry.as("control:coordinator");
const parent = "models/m";

const discarded = (registry: TestRegistry, candidate: Candidate) =>
  control(registry).discard({ parent, candidate: candidate.id, reason: "test", actor: "rel" }, options);

async function candidateOf(registry: TestRegistry, specs: Specs): Promise<Candidate> {
  return await frozen(registry, "m", await draftOf(registry.as("ada"), "m", specs));
}

it("I2: decides a candidate once: whoever comes second learns what was decided", async () => {
  await using registry = await openRegistry();
  await using replica = await registry.replica();
  await createModel(registry);
  for (let round = 0; round < 5; round++) {
    const candidate = await candidateOf(registry, { [`stream/s${round}`]: stream() });
    const decisions = await Promise.all([
      promoted(registry, "m", candidate),
      discarded(replica, candidate),
      promoted(replica, "m", candidate),
      discarded(registry, candidate),
    ]);
    expect(decisions.filter(({ decidedNow }) => decidedNow)).toHaveLength(1);
    const states = new Set(decisions.map((each) => each.candidate?.state));
    expect(states.size).toBe(1);
    const [repeat, other] = [await promoted(registry, "m", candidate), await discarded(replica, candidate)];
    expect([repeat.decidedNow, repeat.candidate?.state, other.candidate?.state]).toEqual([
      false,
      ...states,
      ...states,
    ]);
    expect(repeat.commitTime).toEqual(decisions.find((each) => each.commitTime !== undefined)?.commitTime);
  }
});

/** Holds each promote at its transaction until `count` of them have read all that they decide by. */
function meeting(count: number): (store: CpStore) => CpStore {
  const all = Promise.withResolvers<void>();
  let arrived = 0;
  return (store) =>
    Object.assign(Object.create(store) as CpStore, {
      transact: (async (transaction, each) => {
        const { then } = transaction;
        if (then.some((operation) => operation.type === "put" && operation.key.startsWith("version/"))) {
          arrived += 1;
          if (arrived >= count) all.resolve();
          await all.promise;
        }
        return await store.transact(transaction, each);
      }) satisfies CpStore["transact"],
    });
}

it("I3: promotes only onto the candidate's base: of two on one base the second is refused, and stays open", async () => {
  await using registry = await openRegistry({ wrap: meeting(2) });
  await using replica = await registry.replica();
  await createModel(registry);
  const [one, two] = [
    await candidateOf(registry, { "stream/a": stream() }),
    await candidateOf(registry, { "stream/b": stream() }),
  ];
  const results = await Promise.all([promoted(registry, "m", one), promoted(replica, "m", two)]);
  expect(results.map(({ refused }) => refused).toSorted()).toEqual(["", "HEAD_MOVED"]);
  const loser = results.find(({ refused }) => refused !== "");
  expect(loser?.candidate?.state).toBe(Candidate_State.OPEN);
  expect((await discarded(registry, loser?.candidate as Candidate)).decidedNow).toBe(true);
  const { versions } = await registry.as("ada").listVersions({ parent }, options);
  expect(versions.map(({ number }) => number)).toEqual([1n]);
});

it("I15: refuses to promote another digest than was voted on, or a candidate that is not there", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const candidate = await candidateOf(registry, { "stream/a": stream() });
  const promote = (id: string, digest: string) =>
    control(registry).promote({ parent, candidate: id, digest }, options);
  expect(await refusalOf(promote(candidate.id, "0".repeat(64)))).toBe("INVALID_ARGUMENT DIGEST_MISMATCH");
  expect(await refusalOf(promote("nobody", candidate.digest))).toBe("NOT_FOUND CANDIDATE_NOT_FOUND");
  expect((await registry.as("ada").getModel({ name: parent }, options)).headVersion).toBe(0n);
});

it("I2: promotes only over the registrations by which the voters were frozen, and lets joins count", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const registration = { conductor: "worker", kinds: ["query"], sinceVersion: 0 };
  const write = (value: Uint8Array) =>
    registry.store.transact(
      { compare: [], then: [{ type: "put", key: keys.registrations("m"), value }] },
      signal,
    );
  const { revision } = await write(encodeRegistrations({ active: [], joining: [registration] }));
  const candidate = await candidateOf(registry, { "stream/a": stream() });
  const promote = (registrationsRevision: number) =>
    control(registry).promote(
      {
        parent,
        candidate: candidate.id,
        digest: candidate.digest,
        registrationsRevision: BigInt(registrationsRevision),
        joiningConductors: ["worker"],
        proposalRecord: new Uint8Array([9]),
      },
      options,
    );
  const refused = await promote(0);
  expect([refused.refused, refused.decidedNow]).toEqual(["REGISTRATIONS_CHANGED", false]);
  expect((await promote(revision)).decidedNow).toBe(true);
  const after = (await registry.store.range({ key: keys.registrations("m") }, {}, signal)).entries[0];
  expect(decodeRegistrations(after?.value as Uint8Array)).toEqual({
    active: [{ ...registration, sinceVersion: 1 }],
    joining: [],
  });
  expect(
    (await registry.store.range({ key: keys.proposal("m", candidate.id) }, {}, signal)).entries[0]?.value,
  ).toEqual(new Uint8Array([9]));
});

it("I2: discards only over the proposal's record that the coordinator has read, if it names one", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const candidate = await candidateOf(registry, { "stream/a": stream() });
  const key = keys.proposal("m", candidate.id);
  const revisionOf = async () =>
    (await registry.store.range({ key }, {}, signal)).entries[0]?.modRevision ?? 0;
  const discard = (revision: number) =>
    control(registry).discard(
      {
        parent,
        candidate: candidate.id,
        proposalRevision: BigInt(revision),
        proposalRecord: new Uint8Array([3]),
      },
      options,
    );
  const before = await revisionOf();
  await registry.store.transact(
    { compare: [], then: [{ type: "put", key, value: new Uint8Array([2]) }] },
    signal,
  );
  const refused = await discard(before);
  expect([refused.refused, refused.candidate?.state]).toEqual(["PROPOSAL_MOVED", Candidate_State.OPEN]);
  expect((await discard(await revisionOf())).decidedNow).toBe(true);
});
