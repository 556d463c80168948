import { expect, it } from "vitest";
import { PersonRole } from "@greco/contracts/greco/model/v1/model";
import { Resolution_Side } from "@greco/contracts/greco/registry/v1/registry";
import {
  changesOf,
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
  slotOf,
  stream,
  type TestRegistry,
} from "../testing/harness.ts";

const entity = (key: string): string => `models/m/entities/${key}`;

it("rebases a draft onto the head, field by field, and its freeze goes through", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  await commit(registry, "m", { "stream/a": { schema: true, lanes: 1, key: "k" }, "stream/b": stream() });
  const draft = await draftOf(ada, "m", {
    "stream/a": { schema: true, lanes: 2, key: "k" },
    "stream/c": stream(),
  });
  await commit(registry, "m", { "stream/a": { schema: true, lanes: 1, key: "other" } });
  expect(await refusalOf(frozen(registry, "m", draft))).toBe("FAILED_PRECONDITION STALE_DRAFT");
  expect((await ada.validateDraft({ name: draft.name }, options)).findings[0]?.reason).toBe("STALE_DRAFT");

  const dry = await ada.rebaseDraft({ ...draft, validateOnly: true }, options);
  expect([dry.draft?.baseVersion, (await ada.getDraft({ name: draft.name }, options)).etag]).toEqual([
    2n,
    draft.etag,
  ]);
  const rebased = await ada.rebaseDraft({ ...draft }, options);
  expect([rebased.draft?.baseVersion, rebased.draft?.changeCount, rebased.conflicts]).toEqual([2n, 2n, []]);
  expect(rebased.draft?.etag).not.toBe(draft.etag);
  const { differences } = await ada.diffDraft({ name: draft.name }, options);
  expect(differences.map(({ afterSpecJson }) => afterSpecJson)).toEqual([
    '{"key":"other","lanes":2,"schema":true}',
    '{"schema":true}',
  ]);
  const candidate = await frozen(registry, "m", { name: draft.name, etag: rebased.draft?.etag ?? "" });
  expect((await promoted(registry, "m", candidate)).candidate?.promotedVersion).toBe(3n);
});

it("lists conflicts and changes nothing, until each is settled", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  await commit(registry, "m", { "stream/a": stream(1), "stream/b": stream() });
  const draft = await draftOf(ada, "m", { "stream/a": stream(2), "stream/b": null });
  await commit(registry, "m", { "stream/a": stream(3), "stream/b": stream(9) });
  const first = await ada.rebaseDraft({ ...draft }, options);
  expect(first.conflicts.map(({ $typeName: _, $unknown: __, ...rest }) => rest)).toEqual([
    { entity: entity("stream/a"), fieldPath: "lanes", baseJson: "1", draftJson: "2", headJson: "3" },
    {
      entity: entity("stream/b"),
      fieldPath: "",
      baseJson: '{"schema":true}',
      draftJson: "",
      headJson: '{"lanes":9,"schema":true}',
    },
  ]);
  expect(first.draft?.etag).toBe(draft.etag);
  const settle = (fieldPath: string, key: string, side: Resolution_Side) => ({
    entity: entity(key),
    fieldPath,
    side,
  });
  const resolutions = [
    settle("lanes", "stream/a", Resolution_Side.DRAFT),
    settle("", "stream/b", Resolution_Side.HEAD),
  ];
  const half = await ada.rebaseDraft({ ...draft, resolutions: resolutions.slice(0, 1) }, options);
  expect(half.conflicts.map(({ fieldPath }) => fieldPath)).toEqual([""]);
  const wrong = ada.rebaseDraft(
    { ...draft, resolutions: [...resolutions, settle("x", "stream/a", Resolution_Side.HEAD)] },
    options,
  );
  expect((await errorOf(wrong)).violations[0]?.field).toBe("resolutions[2]");
  const done = await ada.rebaseDraft({ ...draft, resolutions }, options);
  expect([done.conflicts, done.draft?.changeCount, done.draft?.baseVersion]).toEqual([[], 1n, 2n]);
  const { differences } = await ada.diffDraft({ name: draft.name }, options);
  expect(differences.map(({ beforeSpecJson, afterSpecJson }) => [beforeSpecJson, afterSpecJson])).toEqual([
    ['{"lanes":3,"schema":true}', '{"lanes":2,"schema":true}'],
  ]);
  expect(await refusalOf(ada.rebaseDraft({ ...draft }, options))).toBe("ABORTED STALE_ETAG");
});

it("says when conflicts or findings are left out, and tells the rest once these are settled", async () => {
  await using registry = await openRegistry({ limits: { responseBytes: 1_000 } });
  const ada = registry.as("ada");
  await createModel(registry);
  const names = Array.from({ length: 12 }, (_, n) => `stream/s${n + 10}`);
  const all = (lanes: number) => Object.fromEntries(names.map((name) => [name, stream(lanes)]));
  await commit(registry, "m", all(1));
  const draft = await draftOf(ada, "m", all(2));
  await commit(registry, "m", all(3));
  const first = await ada.rebaseDraft({ ...draft }, options);
  expect([first.conflicts.length < 12, first.truncated]).toEqual([true, true]);
  const told = new Set<string>();
  for (let page = first; page.conflicts.length > 0;) {
    for (const conflict of page.conflicts) told.add(conflict.entity);
    const side = Resolution_Side.DRAFT;
    const resolutions = [...told].map((each) => ({ entity: each, fieldPath: "lanes", side }));
    page = await ada.rebaseDraft({ ...draft, resolutions }, options);
    expect(page.truncated).toBe(page.conflicts.length > 0 && page.conflicts.length + told.size < 12);
  }
  expect([...told]).toEqual(names.map(entity));

  const wrong = await draftOf(ada, "m", Object.fromEntries(names.map((name) => [name, stream(0)])));
  const found = await ada.validateDraft({ name: wrong.name }, options);
  expect([found.findings.length > 0, found.findings.length < 12, found.truncated]).toEqual([
    true,
    true,
    true,
  ]);
  const one = await draftOf(ada, "m", { "stream/s10": stream(0) });
  expect((await ada.validateDraft({ name: one.name }, options)).truncated).toBe(false);
});

async function withApproval(registry: TestRegistry): Promise<void> {
  await createModel(registry, "m", { approvalRequired: true });
  for (const [subject, role] of [
    ["rel", PersonRole.RELEASER],
    ["ed", PersonRole.EDITOR],
    ["rel2", PersonRole.RELEASER],
  ] as const)
    await registry.as("ada").setRoleBinding({ parent: "models/m", roleBinding: { subject, role } }, options);
}

it("freezes only what a second person has approved, where the model wants it", async () => {
  await using registry = await openRegistry();
  await withApproval(registry);
  const ed = registry.as("ed");
  const draft = await draftOf(ed, "m", { "stream/a": stream() });
  expect(await refusalOf(frozen(registry, "m", draft))).toBe("FAILED_PRECONDITION APPROVAL_MISSING");
  await registry.as("rel").approveDraft({ ...draft, validateOnly: true }, options);
  expect((await ed.getDraft({ name: draft.name }, options)).approvals).toEqual([]);
  const approved = await registry.as("rel").approveDraft(draft, options);
  expect([approved.etag, approved.approvals.map(({ subject, etag }) => [subject, etag])]).toEqual([
    draft.etag,
    [["rel", draft.etag]],
  ]);
  expect((await registry.as("rel").approveDraft(draft, options)).approvals).toHaveLength(1);
  expect((await frozen(registry, "m", draft)).changeCount).toBe(1n);
});

it("restores nothing that a second person has not approved, but for the way back from what is not confirmed", async () => {
  await using registry = await openRegistry();
  await withApproval(registry);
  const release = async (lanes: number, proposal: string) => {
    const draft = await draftOf(registry.as("ed"), "m", { "stream/a": stream(lanes) });
    await registry.as("rel").approveDraft(draft, options);
    await promoted(registry, "m", await frozen(registry, "m", draft, proposal));
  };
  await release(1, "first");
  await release(2, "second");
  await release(3, "waits");
  const restore = (version: bigint, proposalId: string) =>
    registry.as("control:coordinator").freeze(
      {
        parent: "models/m",
        source: { case: "restoreVersion", value: version },
        // Not by its name: a person may be called so.
        actor: "coordinator",
        proposalId,
        proposalRecord: new Uint8Array([1]),
      },
      options,
    );
  const error = await errorOf(restore(2n, "p1"));
  expect([error.code, error.reason]).toEqual(["FAILED_PRECONDITION", "APPROVAL_MISSING"]);
  expect(error.message).toContain("greco export --version 2");
  await slotOf(registry, { proposal: "waits", armed: false });
  expect(await refusalOf(restore(2n, "p2"))).toBe("FAILED_PRECONDITION APPROVAL_MISSING");
  await slotOf(registry, { proposal: "waits", armed: true });
  expect(await refusalOf(restore(1n, "p3"))).toBe("FAILED_PRECONDITION APPROVAL_MISSING");
  expect((await restore(2n, "p4")).created).toBe(true);
  // The revert before this one is still giving the slot back.
  await slotOf(registry, { proposal: "p4", armed: false, reverts: "waits" });
  expect((await restore(2n, "p5")).created).toBe(true);
});

it("lets nobody approve what he wrote or edited", async () => {
  await using registry = await openRegistry();
  await withApproval(registry);
  const own = await draftOf(registry.as("rel"), "m", { "stream/a": stream() });
  expect(await refusalOf(registry.as("rel").approveDraft(own, options))).toBe(
    "FAILED_PRECONDITION OWN_DRAFT",
  );
  const draft = await draftOf(registry.as("ed"), "m", { "stream/a": stream() });
  const changes = changesOf("m", { "stream/b": stream() });
  const edited = await registry.as("rel").editDraft({ ...draft, changes }, options);
  const now = { name: draft.name, etag: edited.draft?.etag ?? "" };
  expect(await refusalOf(registry.as("rel").approveDraft(now, options))).toBe(
    "FAILED_PRECONDITION OWN_DRAFT",
  );
  expect((await registry.as("rel2").approveDraft(now, options)).approvals).toHaveLength(1);
});

it("lets nobody approve what he rebased, if he decided between the sides or the content became another", async () => {
  await using registry = await openRegistry();
  await createModel(registry);
  await commit(registry, "m", { "stream/a": { schema: true, lanes: 1, key: "k" } });
  const decided = await draftOf(registry.as("ada"), "m", {
    "stream/a": { schema: true, lanes: 2, key: "k" },
  });
  const merged = await draftOf(registry.as("ada"), "m", { "stream/a": { schema: true, lanes: 1, key: "l" } });
  const moved = await draftOf(registry.as("ada"), "m", { "stream/b": stream() });
  await commit(registry, "m", { "stream/a": { schema: true, lanes: 3, key: "k" } });
  const rel = registry.as("rel");
  const { parent, role } = { parent: "models/m", role: PersonRole.RELEASER };
  await registry.as("ada").setRoleBinding({ parent, roleBinding: { subject: "rel", role } }, options);

  const side = Resolution_Side.HEAD;
  const resolutions = [{ entity: entity("stream/a"), fieldPath: "lanes", side }];
  const approving = async (draft: { name: string; etag: string }, more: object = {}) => {
    const rebased = await rel.rebaseDraft({ ...draft, ...more }, options);
    expect(rebased.conflicts).toEqual([]);
    return rel.approveDraft({ name: draft.name, etag: rebased.draft?.etag ?? "" }, options);
  };
  expect(await refusalOf(approving(decided, { resolutions }))).toBe("FAILED_PRECONDITION OWN_DRAFT");
  expect(await refusalOf(approving(merged))).toBe("FAILED_PRECONDITION OWN_DRAFT");
  expect((await approving(moved)).approvals.map(({ subject }) => subject)).toEqual(["rel"]);
});

it("forgets no editor: beyond the limit nobody new edits", async () => {
  await using registry = await openRegistry({ limits: { editorsMax: 1 } });
  await withApproval(registry);
  const draft = await draftOf(registry.as("ada"), "m", { "stream/a": stream() });
  const edit = async (who: string, lanes: number) => {
    const { etag } = await registry.as("ada").getDraft({ name: draft.name }, options);
    const changes = changesOf("m", { "stream/a": stream(lanes) });
    return registry.as(who).editDraft({ name: draft.name, etag, changes }, options);
  };
  await edit("rel", 2);
  expect(await refusalOf(edit("rel2", 3))).toBe("RESOURCE_EXHAUSTED TOO_MANY_EDITORS");
  await edit("ada", 4);
  const { draft: last } = await edit("rel", 5);
  const approving = registry.as("rel").approveDraft({ name: draft.name, etag: last?.etag ?? "" }, options);
  expect(await refusalOf(approving)).toBe("FAILED_PRECONDITION OWN_DRAFT");
});

it("binds an approval to the etag: an edit ends it, and a stale one is refused", async () => {
  await using registry = await openRegistry();
  await withApproval(registry);
  const draft = await draftOf(registry.as("ed"), "m", { "stream/a": stream() });
  await registry.as("rel").approveDraft(draft, options);
  const edited = await registry
    .as("ed")
    .editDraft({ ...draft, changes: changesOf("m", { "stream/b": stream() }) }, options);
  expect(edited.draft?.approvals).toEqual([]);
  expect(await refusalOf(registry.as("rel").approveDraft(draft, options))).toBe("ABORTED STALE_ETAG");
  const now = { name: draft.name, etag: edited.draft?.etag ?? "" };
  expect(await refusalOf(frozen(registry, "m", now))).toBe("FAILED_PRECONDITION APPROVAL_MISSING");
});

it("keeps an approval over a rebase only if change and all revisions it touches or refers to are the same", async () => {
  await using registry = await openRegistry();
  await withApproval(registry);
  const release = async (specs: Parameters<typeof draftOf>[2]) => {
    const draft = await draftOf(registry.as("ed"), "m", specs);
    await registry.as("rel").approveDraft(draft, options);
    await promoted(registry, "m", await frozen(registry, "m", draft));
  };
  await release({ "stream/a": stream(), "stream/b": stream(), "stream/z": stream() });
  const rebasedApprovals = async (meanwhile: Parameters<typeof draftOf>[2]) => {
    const draft = await draftOf(registry.as("ed"), "m", { "query/q": query("a", "b") });
    await registry.as("rel").approveDraft(draft, options);
    await release(meanwhile);
    const { draft: after } = await registry.as("ed").rebaseDraft({ ...draft }, options);
    expect(after?.approvals.every(({ etag }) => etag === after.etag)).toBe(true);
    return after?.approvals.length;
  };
  expect(await rebasedApprovals({ "stream/z": stream(2) })).toBe(1);
  expect(await rebasedApprovals({ "stream/a": stream(2) })).toBe(0);
});
