import { expect, it } from "vitest";
import type { Candidate } from "@greco/contracts/greco/registry/v1/registry";
import { Candidate_State } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import { digestOf, OrderedMap } from "@greco/domain/model";
import {
  all,
  commit,
  createModel,
  draftOf,
  errorOf,
  frozen,
  openRegistry,
  options,
  promoted,
  query,
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

it("I15: refuses to freeze what has errors, one violation each, and makes nothing of it", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream(), "stream/b": stream(), "query/q": query("a", "b") });
  const freeze = async (specs: Specs) => {
    const error = await errorOf(
      frozen(registry, "m", await draftOf(registry.as("ada"), "m", specs), "refused"),
    );
    expect([error.code, error.reason]).toEqual(["FAILED_PRECONDITION", "DRAFT_INVALID"]);
    return error.preconditions.map(({ type, subject }) => `${type} ${subject.split("/entities/")[1]}`);
  };
  expect(await freeze({ "stream/a": stream(0), "query/r": query("a", "x") })).toEqual([
    "UNKNOWN_REFERENCE query/r",
    "SPEC_INVALID stream/a",
  ]);
  expect(await freeze({ "stream/b": null })).toEqual(["DELETE_OF_REFERENCED stream/b"]);
  expect(await freeze({ "query/back": query("b", "a") })).toEqual(["CYCLE query/back"]);
  expect(await freeze({ "stream/epochs": stream() })).toEqual(["RULE_BROKEN stream/epochs"]);
  expect(await freeze({ "query/r": { from: "a", to: "b" } })).toEqual(["RULE_BROKEN query/r"]);
  for (const key of [keys.candidate("m", "refused"), keys.proposal("m", "refused")])
    expect((await registry.store.range({ key }, {}, signal)).entries).toEqual([]);
});

it("names the field of what is wrong once, in the message and in each violation", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const specs = { "stream/a": stream(0), "query/q": query("a", "x") };
  const error = await errorOf(frozen(registry, "m", await draftOf(registry.as("ada"), "m", specs)));
  const descriptions = error.preconditions.map(({ description }) => description);
  expect(descriptions).toEqual([
    "to refers to stream/x, which does not exist: create stream/x in the same draft, or correct the name",
    "lanes must be >= 1, is 0: correct it; the schema of the kind stream says what is allowed",
  ]);
  expect(error.message).toBe(`query/q: ${descriptions[0]} (and 1 more)`);
});

it("I15: refuses to freeze another's etag, an empty draft, and one that does not stand on the head", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const empty = await draftOf(registry.as("ada"), "m", {});
  expect(await refusalOf(frozen(registry, "m", empty))).toBe("FAILED_PRECONDITION EMPTY_DRAFT");
  const draft = await draftOf(registry.as("ada"), "m", { "stream/a": stream() });
  expect(await refusalOf(frozen(registry, "m", { ...draft, etag: empty.etag }))).toBe("ABORTED STALE_ETAG");
  expect(await refusalOf(frozen(registry, "m", { name: "models/m/drafts/none", etag: "" }))).toBe(
    "NOT_FOUND DRAFT_NOT_FOUND",
  );
  expect(await refusalOf(frozen(registry, "m", { name: "models/x/drafts/none", etag: "" }))).toBe(
    "INVALID_ARGUMENT TWO_MODELS",
  );
  await commit(registry, "m", { "stream/b": stream() });
  const error = await errorOf(frozen(registry, "m", draft));
  expect([error.code, error.reason]).toEqual(["FAILED_PRECONDITION", "STALE_DRAFT"]);
  expect(error.message).toContain("rebase");
});

it("freezes once: a repeat gets the first answer, and an id is never used again", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const draft = await draftOf(registry.as("ada"), "m", { "stream/a": stream() });
  const freeze = (proposalId: string, requestId = "", of = draft) =>
    control(registry).freeze(
      {
        parent,
        source: { case: "draft", value: of.name },
        etag: of.etag,
        actor: "rel",
        proposalId,
        requestId,
        proposalRecord: new Uint8Array([7, 7]),
      },
      options,
    );
  const first = await freeze("p1", "r1");
  expect(first.created).toBe(true);
  expect(
    (await registry.store.range({ key: keys.proposal("m", "p1") }, {}, signal)).entries[0]?.value,
  ).toEqual(new Uint8Array([7, 7]));
  const [again, other] = [await freeze("p1", "r1"), await freeze("p2", "r1")];
  expect([again.created, again.candidate, other.candidate]).toEqual([
    false,
    first.candidate,
    first.candidate,
  ]);
  expect((await freeze("p1")).created).toBe(false);
  const another = await draftOf(registry.as("ada"), "m", { "stream/b": stream() });
  expect(await refusalOf(freeze("p1", "", another))).toBe("ALREADY_EXISTS PROPOSAL_EXISTS");
  expect(await refusalOf(freeze("p3", "r1", another))).toBe("INVALID_ARGUMENT REQUEST_ID_REUSED");
  if (first.candidate !== undefined) await discarded(registry, first.candidate);
  const late = await freeze("p1", "r1");
  expect([late.created, late.candidate?.state]).toEqual([false, Candidate_State.DISCARDED]);
  const dry = await control(registry).freeze(
    { parent, source: { case: "draft", value: draft.name }, proposalId: "p9", validateOnly: true },
    options,
  );
  expect([dry.created, dry.candidate?.affected.length]).toEqual([false, 1]);
  expect(await refusalOf(control(registry).discard({ parent, candidate: "p9" }, options))).toBe(
    "NOT_FOUND CANDIDATE_NOT_FOUND",
  );
});

it("seals a change set of any size, with the digest of its canonical lines", async () => {
  await using registry = await openRegistry({ limits: { chunkBytes: 512, streamBytes: 2_000 } });
  await createModel(registry);
  const specs = Object.fromEntries(
    Array.from({ length: 120 }, (_, n) => [`stream/s${n}`, { schema: { title: `Ünï ${n}` } }]),
  );
  const candidate = await candidateOf(registry, specs);
  const lines = Object.entries(specs).map(
    ([key, spec]) => [key, { action: "put", specJson: JSON.stringify(spec) } as const] as const,
  );
  expect(candidate.digest).toBe(digestOf(OrderedMap.of(lines)));
  await using replica = await registry.replica();
  const parts = await all(control(replica).getCandidateChanges({ parent, candidate: candidate.id }, options));
  const entities = parts.flatMap(({ changes }) => changes.map(({ entity }) => entity.split("/entities/")[1]));
  expect(entities).toEqual(Object.keys(specs).toSorted());
  const affected = parts.flatMap((part) => part.candidate?.affected ?? []);
  expect(affected.map(({ entity }) => entity.split("/entities/")[1])).toEqual(entities);
  expect(parts.flatMap((part) => part.candidate?.scope ?? [])).toHaveLength(120);
  expect(
    parts
      .map((part) => part.candidate?.extentPartial)
      .filter((each) => each !== undefined)
      .at(-1),
  ).toBe(false);
  await promoted(replica, "m", candidate);
  const seen = await all(registry.as("ada").snapshot({ parent, view: { minVersion: 1n } }, options));
  expect(seen.length).toBeGreaterThan(2);
  expect(seen.flatMap((part) => part.entities)).toHaveLength(120);
});

it("freezes a join without changes, and it makes a version", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream() });
  const { candidate } = await control(registry).freeze(
    { parent, source: { case: "join", value: true }, proposalId: "j", actor: "worker" },
    options,
  );
  expect([candidate?.changeCount, candidate?.affected, candidate?.scope]).toEqual([0n, [], []]);
  const decision = await promoted(registry, "m", candidate as Candidate);
  expect(decision.candidate?.promotedVersion).toBe(2n);
  expect((await registry.as("ada").listEntities({ parent }, options)).version).toBe(2n);
  const missing = control(registry).freeze({ parent, proposalId: "k" }, options);
  expect(await refusalOf(missing)).toBe("INVALID_ARGUMENT SOURCE_MISSING");
});

it("previews a draft as it would be frozen, with its findings, and freezes nothing", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream(), "stream/b": stream(), "query/q": query("a", "b") });
  const draft = await draftOf(registry.as("ada"), "m", { "stream/a": stream(0) });
  const parts = await all(control(registry).previewDraft({ name: draft.name, etag: draft.etag }, options));
  const candidate = parts[0]?.candidate;
  expect([candidate?.id, candidate?.state, candidate?.baseVersion, candidate?.changeCount]).toEqual([
    "",
    0,
    1n,
    1n,
  ]);
  expect(
    candidate?.affected.map(({ entity, change, claimRequired }) => [
      entity.split("/").at(-1),
      change,
      claimRequired,
    ]),
  ).toEqual([
    ["q", 0, true],
    ["a", 2, true],
  ]);
  expect(candidate?.scope).toEqual(["stream/a@1", "stream/b@1"]);
  expect(parts.flatMap(({ changes }) => changes)).toHaveLength(1);
  expect(parts.flatMap(({ findings }) => findings.map(({ reason }) => reason))).toEqual(["SPEC_INVALID"]);
  const stale = all(control(registry).previewDraft({ name: draft.name, etag: "old" }, options));
  expect(await refusalOf(stale)).toBe("ABORTED STALE_ETAG");
});
