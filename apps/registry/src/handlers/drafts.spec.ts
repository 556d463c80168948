import fc from "fast-check";
import { expect, it } from "vitest";
import {
  changesOf,
  commit,
  createModel,
  draftOf,
  errorOf,
  frozen,
  newId,
  onStore,
  openRegistry,
  openStore,
  options,
  query,
  refusalOf,
  signal,
  stream,
  type RegistryClient,
  type Specs,
} from "../testing/harness.ts";

const put = (entity: string, value: string) => ({ entity, action: { case: "putSpecJson", value } as const });
const revert = (entity: string) => ({ entity, action: { case: "revert", value: true } as const });

async function differencesOf(client: RegistryClient, name: string, pageSize = 1000): Promise<string[]> {
  const found: string[] = [];
  let pageToken = "";
  do {
    const page = await client.diffDraft({ name, pageSize, pageToken }, options);
    expect(page.differences.length).toBeLessThanOrEqual(pageSize);
    for (const { entity, kind, beforeSpecJson, afterSpecJson } of page.differences)
      found.push(`${kind} ${entity.split("/entities/")[1]} ${beforeSpecJson} ${afterSpecJson}`);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

it("I4: saves a draft without a conductor, a data plane or another user, and what is wrong is a warning", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const draft = await ada.createDraft({ parent: "models/m", draftId: "d", draft: { title: "T" } }, options);
  expect([draft.baseVersion, draft.author, draft.title, draft.changeCount]).toEqual([0n, "ada", "T", 0n]);
  const changes = changesOf("m", { "stream/a": stream(99), "query/q": query("a", "nowhere") });
  const edited = await ada.editDraft({ name: draft.name, etag: draft.etag, changes }, options);
  expect(edited.draft?.changeCount).toBe(2n);
  expect(edited.draft?.etag).not.toBe(draft.etag);
  expect(edited.findings.map(({ severity, reason, fieldPath }) => [severity, reason, fieldPath])).toEqual([
    [1, "SPEC_INVALID", "lanes"],
    [1, "UNKNOWN_REFERENCE", "to"],
  ]);
  const { findings } = await ada.validateDraft({ name: draft.name }, options);
  expect(findings.map(({ severity, reason }) => [severity, reason]).toSorted()).toEqual([
    [2, "SPEC_INVALID"],
    [2, "UNKNOWN_REFERENCE"],
  ]);
});

it("I4: two users' drafts of one entity do not know of each other", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const [one, two] = [await draftOf(registry.as("ada"), "m", {}), await draftOf(registry.as("ada"), "m", {})];
  const edit = (draft: { name: string; etag: string }, lanes: number) =>
    registry
      .as("ada")
      .editDraft({ ...draft, changes: changesOf("m", { "stream/a": stream(lanes) }) }, options);
  const pick = ({ name, etag }: { name: string; etag: string }) => ({ name, etag });
  await Promise.all([edit(pick(one), 1), edit(pick(two), 2)]);
  expect(await differencesOf(registry.as("ada"), one.name)).toEqual([
    '1 stream/a  {"lanes":1,"schema":true}',
  ]);
  expect(await differencesOf(registry.as("ada"), two.name)).toEqual([
    '1 stream/a  {"lanes":2,"schema":true}',
  ]);
});

it("I4: saves go on while others commit, freeze and wait for votes; only a freeze asks for the head", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const draft = await draftOf(ada, "m", { "stream/a": stream() });
  await commit(registry, "m", { "stream/b": stream() });
  await frozen(registry, "m", await draftOf(ada, "m", { "stream/c": stream() }));
  const changes = changesOf("m", { "stream/a": stream(2) });
  const edited = await ada.editDraft({ ...draft, changes }, options);
  expect([edited.draft?.baseVersion, edited.draft?.changeCount, edited.findings]).toEqual([0n, 1n, []]);
});

it("shows each change against the base; a line that says what the base says goes", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream(1), "stream/b": stream(), "stream/c": stream() });
  const draft = await draftOf(ada, "m", {
    "stream/a": stream(2),
    "stream/b": null,
    "stream/d": stream(),
    "stream/e": stream(),
  });
  const all = [
    '2 stream/a {"lanes":1,"schema":true} {"lanes":2,"schema":true}',
    '3 stream/b {"schema":true} ',
    '1 stream/d  {"schema":true}',
    '1 stream/e  {"schema":true}',
  ];
  expect(await differencesOf(ada, draft.name, 1)).toEqual(all);
  expect(await differencesOf(ada, draft.name)).toEqual(all);
  const at = { case: "draft", value: draft.name } as const;
  const entity = await ada.getEntity({ name: "models/m/entities/stream/a", view: { at } }, options);
  expect([entity.createdVersion, entity.changedVersion]).toEqual([1n, 2n]);
  const changes = [
    put("models/m/entities/stream/a", '{ "schema": true, "lanes": 1.0 }'),
    revert("models/m/entities/stream/b"),
    { entity: "models/m/entities/stream/d", action: { case: "delete", value: true } as const },
  ];
  const back = await ada.editDraft({ ...draft, changes }, options);
  expect(back.draft?.changeCount).toBe(1n);
  expect(await differencesOf(ada, draft.name)).toEqual([all[3]]);
  const { entities } = await ada.listEntities({ parent: "models/m", view: { at }, kind: "stream" }, options);
  expect(entities.map(({ name }) => name.split("/").at(-1))).toEqual(["a", "b", "c", "e"]);
});

it("I15: refuses a stale etag and a page of a draft that has changed", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const draft = await draftOf(ada, "m", { "stream/a": stream(), "stream/b": stream() });
  const { nextPageToken } = await ada.diffDraft({ name: draft.name, pageSize: 1 }, options);
  const edit = (etag: string) =>
    ada.editDraft({ name: draft.name, etag, changes: changesOf("m", { "stream/c": stream() }) }, options);
  const results = await Promise.allSettled([edit(draft.etag), edit(draft.etag), edit(draft.etag)]);
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const error = await errorOf(edit(draft.etag));
  expect([error.code, error.reason]).toEqual(["ABORTED", "STALE_ETAG"]);
  expect(error.metadata["etag"]).toBe((await ada.getDraft({ name: draft.name }, options)).etag);
  expect(
    await refusalOf(ada.diffDraft({ name: draft.name, pageSize: 1, pageToken: nextPageToken }, options)),
  ).toBe("ABORTED LIST_CHANGED");
  expect(await refusalOf(ada.discardDraft({ name: draft.name, etag: draft.etag }, options))).toBe(
    "ABORTED STALE_ETAG",
  );
});

it("I15: refuses bad changes with the place of each, and none of the call's changes counts", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  await createModel(registry, "other");
  const draft = await draftOf(ada, "m", { "stream/a": stream() });
  const good = put("models/m/entities/stream/good", '{"schema":true}');
  const entity = "models/m/entities/stream/x";
  const cases: [object, string, string][] = [
    [put(entity, "{"), "SPEC_NOT_JSON", "changes[1].put_spec_json"],
    [put(entity, "[]"), "SPEC_NOT_AN_OBJECT", "changes[1].put_spec_json"],
    [put(entity, '{"a":{"__proto__":1}}'), "FORBIDDEN_NAME", "changes[1].put_spec_json"],
    [put(entity, '{"constructor":1}'), "FORBIDDEN_NAME", "changes[1].put_spec_json"],
    [put(entity, `{"a":${"[".repeat(100)}${"]".repeat(100)}}`), "SPEC_TOO_DEEP", "changes[1].put_spec_json"],
    [put("models/m/entities/strem/x", "{}"), "UNKNOWN_KIND", "changes[1].entity"],
    [put("models/other/entities/stream/x", "{}"), "TWO_MODELS", "changes[1].entity"],
    [put("models/m/entities/stream/Ä", "{}"), "INVALID_NAME", "changes[1].entity"],
    [put("models/m/entities/stream/a*b", "{}"), "INVALID_NAME", "changes[1].entity"],
    [put("models/m/entities/stream/a/b", "{}"), "INVALID_NAME", "changes[1].entity"],
    [put("models/m/entities/stream/a\u0000", "{}"), "INVALID_NAME", "changes[1].entity"],
    [put("models/m/entities/stream/..", "{}"), "INVALID_NAME", "changes[1].entity"],
    [put("models/m/entities/stream/good", "{}"), "ENTITY_TWICE", "changes[1].entity"],
    [{ entity, action: { case: "delete", value: true } }, "ENTITY_NOT_FOUND", "changes[1].entity"],
    [{ entity, action: { case: "delete", value: false } }, "INVALID_FIELD", "changes[1].delete"],
    [{ entity }, "INVALID_FIELD", "changes[1].action"],
  ];
  for (const [change, reason, field] of cases) {
    const error = await errorOf(ada.editDraft({ ...draft, changes: [good, change] }, options));
    expect([error.code, error.reason, error.violations[0]?.field]).toEqual([
      "INVALID_ARGUMENT",
      reason,
      field,
    ]);
  }
  expect(
    (await errorOf(ada.editDraft({ ...draft, changes: [put("models/m/entities/strem/x", "{}")] }, options)))
      .message,
  ).toContain("did you mean stream?");
  expect((await ada.getDraft({ name: draft.name }, options)).etag).toBe(draft.etag);
  expect(await differencesOf(ada, draft.name)).toHaveLength(1);
});

it("I15: answers for drafts that are not there, and repeats a create by its request_id", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const name = "models/m/drafts/none";
  expect(await refusalOf(ada.getDraft({ name }, options))).toBe("NOT_FOUND DRAFT_NOT_FOUND");
  expect(await refusalOf(ada.validateDraft({ name }, options))).toBe("NOT_FOUND DRAFT_NOT_FOUND");
  const edit = ada.editDraft({ name, etag: "x", changes: changesOf("m", { "stream/a": stream() }) }, options);
  expect(await refusalOf(edit)).toBe("NOT_FOUND DRAFT_NOT_FOUND");
  const create = { parent: "models/m", draftId: "d", requestId: "r1" };
  const first = await ada.createDraft(create, options);
  expect(await ada.createDraft(create, options)).toEqual(first);
  expect(await refusalOf(ada.createDraft({ ...create, requestId: "r2" }, options))).toBe(
    "ALREADY_EXISTS DRAFT_EXISTS",
  );
  expect(await refusalOf(ada.createDraft({ ...create, draftId: "e" }, options))).toBe(
    "INVALID_ARGUMENT REQUEST_ID_REUSED",
  );
  const future = ada.createDraft({ parent: "models/m", draftId: "f", draft: { baseVersion: 7n } }, options);
  expect(await refusalOf(future)).toBe("INVALID_ARGUMENT VERSION_NOT_FOUND");
  expect(await refusalOf(ada.discardDraft({ name: first.name }, options))).toBe(
    "INVALID_ARGUMENT ETAG_REQUIRED",
  );
  const { etag: now } = await ada.getDraft({ name: first.name }, options);
  await ada.discardDraft({ name: first.name, etag: now }, options);
  const again = await ada.createDraft({ parent: "models/m", draftId: "d" }, options);
  expect(again.etag).not.toBe(first.etag);
});

it("discards nothing when it is only asked whether it could", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const { name, etag } = await ada.createDraft({ parent: "models/m", draftId: "d" }, options);
  await ada.discardDraft({ name, etag, validateOnly: true }, options);
  expect((await ada.getDraft({ name }, options)).etag).toBe(etag);
  expect(await refusalOf(ada.discardDraft({ name, etag: "other", validateOnly: true }, options))).toBe(
    "ABORTED STALE_ETAG",
  );
});

it("notes what a text says twice or too exactly, and takes its last word", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const draft = await draftOf(registry.as("ada"), "m", {});
  const changes = [put("models/m/entities/stream/a", '{"schema":true,"lanes":1,"lanes":2}')];
  const { findings } = await registry
    .as("ada")
    .editDraft({ name: draft.name, etag: draft.etag, changes }, options);
  expect(findings.map(({ reason, fieldPath }) => [reason, fieldPath])).toEqual([["REPEATED_NAME", "lanes"]]);
});

it("takes 10,000 changes in one call, all or none, through many transactions of the store", async () => {
  await using registry = await openRegistry({ limits: { chunkBytes: 50_000 } });
  const ada = registry.as("ada");
  await createModel(registry);
  const draft = await draftOf(ada, "m", {});
  const changes = Array.from({ length: 10_000 }, (_, n) =>
    put(
      `models/m/entities/stream/s${n}`,
      JSON.stringify({ schema: { title: `the stream number ${n}`.padEnd(60) } }),
    ),
  );
  const edited = await ada.editDraft({ name: draft.name, etag: draft.etag, changes }, options);
  expect(edited.draft?.changeCount).toBe(10_000n);
  await using replica = await registry.replica();
  expect((await differencesOf(replica.as("ada"), draft.name)).length).toBe(10_000);
});

it("reads the same draft after any edits, folded or not, by the same and by another registry", async () => {
  const names = ["a", "b", "c", "d", "e"];
  const edit = fc.dictionary(
    fc.constantFrom(...names).map((name) => `stream/${name}`),
    fc.oneof(
      fc.nat(3).map((lanes) => stream(lanes + 1)),
      fc.constant("revert"),
    ),
    { minKeys: 1, maxKeys: 4 },
  );
  await using store = await openStore();
  // Small, so that folds and chunks happen all the time.
  const limits = { draftLogMin: 2, inlineBytes: 40, chunkBytes: 64 };
  await using registry = await onStore(store, { limits });
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream(1), "stream/b": stream(2) });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 8 }), async (edits) => {
      const draft = await registry
        .as("ada")
        .createDraft({ parent: "models/m", draftId: newId("d") }, options);
      let etag = draft.etag;
      const expected = new Map<string, string>();
      for (const lines of edits) {
        const changes = Object.entries(lines).map(([key, spec]) =>
          spec === "revert"
            ? revert(`models/m/entities/${key}`)
            : put(`models/m/entities/${key}`, JSON.stringify(spec)),
        );
        etag =
          (await registry.as("ada").editDraft({ name: draft.name, etag, changes }, options)).draft?.etag ??
          "";
        for (const [key, spec] of Object.entries(lines)) {
          const text = JSON.stringify(spec);
          const base = { "stream/a": 1, "stream/b": 2 }[key];
          if (spec === "revert" || text === JSON.stringify(stream(base))) expected.delete(key);
          else expected.set(key, key);
        }
      }
      const keysOf = async (client: RegistryClient) =>
        (await client.diffDraft({ name: draft.name }, options)).differences.map(
          ({ entity }) => entity.split("/entities/")[1],
        );
      expect(await keysOf(registry.as("ada"))).toEqual([...expected.keys()].toSorted());
      await using replica = await onStore(store, { limits });
      expect(await differencesOf(replica.as("ada"), draft.name)).toEqual(
        await differencesOf(registry.as("ada"), draft.name),
      );
      await registry.as("ada").discardDraft({ name: draft.name, etag }, options);
      const { entries } = await store.range({ prefix: "draft" }, { keysOnly: true }, signal);
      const id = draft.name.split("/").at(-1);
      expect(entries.filter(({ key }) => key.includes(`/${id}`))).toEqual([]);
    }),
    { numRuns: 15 },
  );
}, 60_000);

it("keeps a page of the head at the version of the first page", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const specs: Specs = { "stream/a": stream(), "stream/b": stream(), "stream/c": stream() };
  await commit(registry, "m", specs);
  const first = await ada.listEntities({ parent: "models/m", pageSize: 2 }, options);
  await commit(registry, "m", { "stream/c": null, "stream/b2": stream() });
  const rest = await ada.listEntities(
    { parent: "models/m", pageSize: 2, pageToken: first.nextPageToken },
    options,
  );
  expect([first.version, rest.version]).toEqual([1n, 1n]);
  expect(rest.entities.map(({ name }) => name)).toEqual(["models/m/entities/stream/c"]);
  expect(rest.nextPageToken).toBe("");
});
