import { expect, it } from "vitest";
import {
  commit,
  createModel,
  errorOf,
  openRegistry,
  options,
  refusalOf,
  signal,
  stream,
} from "../testing/harness.ts";
import { PersonRole, VoterPolicy } from "@greco/contracts/greco/model/v1/model";

it("gives a new model its built-in kinds and its maker as admin", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const { kinds } = await ada.listKinds({ parent: "models/m" }, options);
  expect(kinds.map(({ name, builtIn, stream: isStream }) => [name, builtIn, isStream])).toEqual([
    ["models/m/kinds/query", true, false],
    ["models/m/kinds/stream", true, true],
    ["models/m/kinds/table", true, false],
  ]);
  const { roleBindings } = await ada.listRoleBindings({ parent: "models/m" }, options);
  expect(roleBindings.map(({ subject, role }) => [subject, role])).toEqual([["ada", PersonRole.ADMIN]]);
});

it("answers a repeated create with the first answer, and refuses another one under its request_id", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  const request = { modelId: "m", model: { displayName: "One" }, requestId: "r/\u00001" };
  const [first, second] = await Promise.all([
    ada.createModel(request, options),
    ada.createModel(request, options),
  ]);
  expect(second).toEqual(first);
  expect(await refusalOf(ada.createModel({ ...request, model: { displayName: "Two" } }, options))).toBe(
    "INVALID_ARGUMENT REQUEST_ID_REUSED",
  );
  expect(await refusalOf(ada.createModel({ modelId: "m" }, options))).toBe("ALREADY_EXISTS MODEL_EXISTS");
  expect(await refusalOf(registry.as("control:c").createModel({ modelId: "n" }, options))).toBe(
    "PERMISSION_DENIED MISSING_ROLE",
  );
});

it("makes nothing when it only validates", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  expect((await ada.createModel({ modelId: "m", validateOnly: true }, options)).name).toBe("models/m");
  expect(await refusalOf(registry.as("control:c").getModel({ name: "models/m" }, options))).toBe(
    "NOT_FOUND MODEL_NOT_FOUND",
  );
  await createModel(registry);
  expect(await refusalOf(ada.createModel({ modelId: "m", validateOnly: true }, options))).toBe(
    "ALREADY_EXISTS MODEL_EXISTS",
  );
});

it("lists only the models that the caller may view, page by page", async () => {
  await using registry = await openRegistry();
  for (const id of ["a", "b", "c", "d", "e"]) await createModel(registry, id);
  await registry.as("bob").createModel({ modelId: "bobs" }, options);
  const list = async (token: string, pageSize: number): Promise<string[]> => {
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = await registry.as(token).listModels({ pageSize, pageToken }, options);
      expect(page.models.length).toBeLessThanOrEqual(pageSize);
      names.push(...page.models.map(({ name }) => name.slice("models/".length)));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return names;
  };
  expect(await list("ada", 2)).toEqual(["a", "b", "c", "d", "e"]);
  expect(await list("bob", 3)).toEqual(["bobs"]);
  expect(await list("eve", 3)).toEqual([]);
  expect(await list("conductor:worker", 4)).toEqual(["a", "b", "bobs", "c", "d", "e"]);
});

it("I15: refuses a page token of another list, and one that is none", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  for (const id of ["a", "b"]) await createModel(registry, id);
  const { nextPageToken } = await ada.listModels({ pageSize: 1 }, options);
  const kinds = (parent: string, pageToken: string) =>
    ada.listKinds({ parent, pageSize: 1, pageToken }, options);
  expect(await refusalOf(kinds("models/a", nextPageToken))).toBe("INVALID_ARGUMENT PAGE_TOKEN_MISMATCH");
  expect(await refusalOf(kinds("models/a", "nonsense"))).toBe("INVALID_ARGUMENT PAGE_TOKEN_INVALID");
  const first = await kinds("models/a", "");
  expect(await refusalOf(kinds("models/b", first.nextPageToken))).toBe(
    "INVALID_ARGUMENT PAGE_TOKEN_MISMATCH",
  );
  expect((await kinds("models/a", first.nextPageToken)).kinds[0]?.name).toBe("models/a/kinds/stream");
});

it("updates a model only on its present etag", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const before = await ada.getModel({ name: "models/m" }, options);
  const change = { ...before, displayName: "New", approvalRequired: true, voters: VoterPolicy.AFFECTED };
  const after = await ada.updateModel({ model: change }, options);
  expect([after.displayName, after.approvalRequired, after.voters]).toEqual([
    "New",
    true,
    VoterPolicy.AFFECTED,
  ]);
  expect(after.etag).not.toBe(before.etag);
  expect(await refusalOf(ada.updateModel({ model: change }, options))).toBe("ABORTED STALE_ETAG");
  expect(await refusalOf(ada.updateModel({ model: { ...change, etag: "" } }, options))).toBe(
    "INVALID_ARGUMENT ETAG_REQUIRED",
  );
  expect((await ada.getModel({ name: "models/m" }, options)).etag).toBe(after.etag);
});

it("tells a watcher of each head, and goes on from a revision without a gap", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  const ending = new AbortController();
  const watch = (fromRevision: bigint) =>
    registry
      .as("ada")
      .watchModel({ name: "models/m", fromRevision }, { signal: ending.signal })
      [Symbol.asyncIterator]();
  const watching = watch(0n);
  const next = async (from: typeof watching) => {
    for (;;) {
      const { value } = await from.next();
      if (value?.model !== undefined)
        return {
          revision: value.revision,
          head: Number(value.model.headVersion),
          title: value.model.displayName,
        };
    }
  };
  const start = await next(watching);
  expect(start.head).toBe(0);
  await commit(registry, "m", { "stream/a": stream() });
  expect((await next(watching)).head).toBe(1);
  await commit(registry, "m", { "stream/b": stream() });
  const second = await next(watching);
  expect(second.head).toBe(2);
  await commit(registry, "m", { "stream/c": stream() });
  expect((await next(watching)).head).toBe(3);

  const heads = new Set<number>();
  const again = watch(start.revision);
  while (!heads.has(3)) heads.add((await next(again)).head);
  expect([...heads]).toEqual([1, 2, 3]);
  const model = await registry.as("ada").getModel({ name: "models/m" }, options);
  await registry.as("ada").updateModel({ model: { ...model, displayName: "New" } }, options);
  expect((await next(watching)).title).toBe("New");
  ending.abort();
});

it("I15: says so when a revision to go on from is not there", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream() });
  const first = async (fromRevision: bigint): Promise<unknown> => {
    for await (const each of registry.as("ada").watchModel({ name: "models/m", fromRevision }, options))
      return each;
    return undefined;
  };
  expect((await errorOf(first(1_000_000n))).reason).toBe("REVISION_GONE");
  const { revision } = await registry.store.range({ key: "head/m" }, {}, signal);
  await registry.store.compact(revision, signal);
  expect((await errorOf(first(1n))).reason).toBe("REVISION_GONE");
});

it("never leaves a model without an admin", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const parent = "models/m";
  const set = (subject: string, role: PersonRole) =>
    ada.setRoleBinding({ parent, roleBinding: { subject, role } }, options);
  expect(await refusalOf(set("ada", PersonRole.VIEWER))).toBe("FAILED_PRECONDITION LAST_ADMIN");
  expect(await refusalOf(ada.deleteRoleBinding({ name: `${parent}/roleBindings/ada` }, options))).toBe(
    "FAILED_PRECONDITION LAST_ADMIN",
  );
  const bob = await set("bob", PersonRole.ADMIN);
  await set("bob", PersonRole.ADMIN);
  expect(
    await refusalOf(
      ada.setRoleBinding({ parent, roleBinding: { ...bob, role: PersonRole.EDITOR } }, options),
    ),
  ).toBe("ABORTED STALE_ETAG");
  await ada.deleteRoleBinding({ name: `${parent}/roleBindings/ada` }, options);
  expect(await refusalOf(ada.getModel({ name: parent }, options))).toBe("PERMISSION_DENIED MISSING_ROLE");
  expect((await registry.as("bob").getModel({ name: parent }, options)).name).toBe(parent);
});

it("I14: lets each role do what it may and names the one that is missing", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  for (const [subject, role] of [
    ["vic", PersonRole.VIEWER],
    ["ed", PersonRole.EDITOR],
    ["rel", PersonRole.RELEASER],
  ] as const)
    await ada.setRoleBinding({ parent: "models/m", roleBinding: { subject, role } }, options);
  const create = (token: string, draftId: string) =>
    registry.as(token).createDraft({ parent: "models/m", draftId }, options);
  expect((await errorOf(create("vic", "d"))).metadata["missingRole"]).toBe("editor");
  const draft = await create("ed", "d");
  const { name, etag } = draft;
  expect(
    (await errorOf(registry.as("ed").approveDraft({ name, etag }, options))).metadata["missingRole"],
  ).toBe("releaser");
  expect((await registry.as("rel").approveDraft({ name, etag }, options)).approvals).toHaveLength(1);
  const kind = { displayName: "W", schemaJson: "{}" };
  const createKind = (token: string) =>
    registry.as(token).createKind({ parent: "models/m", kindId: "w", kind }, options);
  expect((await errorOf(createKind("rel"))).metadata["missingRole"]).toBe("admin");
  const freeze = registry
    .as("ada")
    .freeze({ parent: "models/m", proposalId: "p", source: { case: "join", value: true } }, options);
  expect((await errorOf(freeze)).metadata["missingRole"]).toBe("control");
  const { drafts } = await registry.as("vic").listDrafts({ parent: "models/m" }, options);
  expect(drafts.map(({ name: each }) => each)).toEqual(["models/m/drafts/d"]);
});

it("changes and takes away a role only as it was read, if its etag is sent; or only says whether it would", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const [parent, subject] = ["models/m", "bob"];
  const name = `${parent}/roleBindings/${subject}`;
  const set = (role: PersonRole, more: { etag?: string; validateOnly?: boolean } = {}) => {
    const { etag = "", validateOnly = false } = more;
    return ada.setRoleBinding({ parent, roleBinding: { subject, role, etag }, validateOnly }, options);
  };
  const present = async () => {
    const { roleBindings } = await ada.listRoleBindings({ parent }, options);
    return roleBindings.find((each) => each.subject === subject)?.role;
  };
  await set(PersonRole.EDITOR, { validateOnly: true });
  expect(await present()).toBeUndefined();
  const first = await set(PersonRole.EDITOR);
  const second = await set(PersonRole.RELEASER, { etag: first.etag });
  expect(await refusalOf(set(PersonRole.VIEWER, { etag: first.etag }))).toBe("ABORTED STALE_ETAG");
  expect(await refusalOf(ada.deleteRoleBinding({ name, etag: first.etag }, options))).toBe(
    "ABORTED STALE_ETAG",
  );
  await ada.deleteRoleBinding({ name, etag: second.etag, validateOnly: true }, options);
  expect(await present()).toBe(PersonRole.RELEASER);
  const last = { name: `${parent}/roleBindings/ada`, validateOnly: true };
  expect(await refusalOf(ada.deleteRoleBinding(last, options))).toBe("FAILED_PRECONDITION LAST_ADMIN");
  await ada.deleteRoleBinding({ name, etag: second.etag }, options);
  expect(await present()).toBeUndefined();
});
