import { expect, it } from "vitest";
import { type Kind, KindReference_Flow, type KindSchema } from "@greco/contracts/greco/model/v1/model";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CpStore } from "@greco/ports";
import {
  changesOf,
  commit,
  createModel,
  draftOf,
  errorOf,
  frozen,
  onStore,
  openRegistry,
  openStore,
  options,
  promoted,
  refusalOf,
  slotOf,
  type RegistryClient,
} from "../testing/harness.ts";

type KindInit = Exclude<MessageInitShape<typeof KindSchema>, { $typeName: string }>;

const flag: KindInit = {
  displayName: "Flag",
  schemaJson: JSON.stringify({
    type: "object",
    required: ["percent"],
    properties: { percent: { type: "number" }, on: { type: "string" }, deep: { $ref: "#/$defs/deep" } },
    $defs: { deep: { type: "object", additionalProperties: { $ref: "#/$defs/deep" } } },
  }),
  rules: [
    {
      id: "range",
      expression: "spec.percent >= 0.0 && spec.percent <= 100.0",
      message: "percent is 0 to 100",
    },
  ],
  references: [{ path: "on", kind: "stream", flow: KindReference_Flow.USES }],
  unclaimedAllowed: true,
};

/** A message as one may change it. */
const open = ({ name, etag }: Kind): KindInit => ({ ...flag, name, etag });

const create = (client: RegistryClient, kind: KindInit, kindId = "flag") =>
  client.createKind({ parent: "models/m", kindId, kind }, options);

it("takes a user's kind: its schema, its rules and its references hold from then on", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const kind = await create(ada, flag);
  expect([kind.name, kind.builtIn, kind.unclaimedAllowed]).toEqual(["models/m/kinds/flag", false, true]);
  const draft = await ada.createDraft({ parent: "models/m", draftId: "d" }, options);
  const changes = changesOf("m", {
    "flag/a": { percent: "x" },
    "flag/b": { percent: 101 },
    "flag/c": { percent: 1, on: "s" },
    "flag/d": { percent: 5 },
  });
  const { findings } = await ada.editDraft({ name: draft.name, etag: draft.etag, changes }, options);
  expect(
    findings.map(({ entity, reason, fieldPath, message }) => [
      entity.split("/").at(-1),
      reason,
      fieldPath,
      message,
    ]),
  ).toEqual([
    ["a", "SPEC_INVALID", "percent", "percent must be a number, is a string"],
    ["b", "RULE_BROKEN", "", "percent is 0 to 100"],
    ["c", "UNKNOWN_REFERENCE", "on", "on refers to stream/s, which does not exist"],
  ]);
});

it("I15: refuses a kind that would not work, and says all that is wrong with it", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const wrong: [Partial<KindInit>, string][] = [
    [{ schemaJson: "{" }, "kind.schema_json"],
    [{ schemaJson: '{"type": "objekt"}' }, "kind.schema_json"],
    [{ schemaJson: '{"properties": {"a": {"__proto__": {}}}}' }, "kind.schema_json"],
    [{ schemaJson: '{"type":"object","properties":{"a":{"pattern":"(?=x)"}}}' }, "kind.schema_json"],
    [{ displayName: "" }, "kind.display_name"],
    [{ rules: [{ id: "r", expression: "spec.percnt > 1.0", message: "m" }] }, "kind.rules[0].expression"],
    [{ rules: [{ id: "r", expression: "spec.percent", message: "m" }] }, "kind.rules[0].expression"],
    [{ rules: [{ id: "r", expression: "1 +", message: "m" }] }, "kind.rules[0].expression"],
    [{ references: [{ path: "a[0]", kind: "stream" }] }, "kind.references[0].path"],
    [{ references: [{ path: "a", kind: "nothing" }] }, "kind.references[0].kind"],
  ];
  for (const [change, field] of wrong) {
    const error = await errorOf(create(ada, { ...flag, ...change }));
    expect([error.code, error.reason, error.violations[0]?.field]).toEqual([
      "INVALID_ARGUMENT",
      "INVALID_KIND",
      field,
    ]);
  }
  expect((await errorOf(create(ada, { ...flag, ...wrong[5]?.[0] }))).message).toContain(
    "did you mean percent",
  );
  expect(await refusalOf(ada.getKind({ name: "models/m/kinds/flag" }, options))).toBe(
    "NOT_FOUND KIND_NOT_FOUND",
  );
  await create(ada, { ...flag, references: [{ path: "next[]", kind: "flag" }] });
  expect(await refusalOf(create(ada, flag))).toBe("ALREADY_EXISTS KIND_EXISTS");
});

it("changes a kind while every entity of the head passes, and refuses it with each that would not", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const kind = await create(ada, flag);
  await commit(registry, "m", { "flag/a": { percent: 10 }, "flag/b": { percent: 60 } });
  const narrower = {
    ...open(kind),
    rules: [{ id: "range", expression: "spec.percent < 50.0", message: "below 50" }],
  };
  const error = await errorOf(ada.updateKind({ kind: narrower }, options));
  expect([error.code, error.reason]).toEqual(["FAILED_PRECONDITION", "KIND_BREAKS_ENTITIES"]);
  expect(error.preconditions.map(({ subject }) => subject)).toEqual(["models/m/entities/flag/b"]);
  expect(await refusalOf(ada.updateKind({ kind: { ...open(kind), stream: true } }, options))).toBe(
    "FAILED_PRECONDITION KIND_BREAKS_ENTITIES",
  );
  await commit(registry, "m", { "flag/b": null });
  const changed = await ada.updateKind({ kind: narrower }, options);
  expect(changed.etag).not.toBe(kind.etag);
  expect(await refusalOf(ada.updateKind({ kind: narrower }, options))).toBe("ABORTED STALE_ETAG");
  const query = await ada.getKind({ name: "models/m/kinds/query" }, options);
  expect(await refusalOf(ada.updateKind({ kind: query }, options))).toBe("FAILED_PRECONDITION BUILT_IN");
});

it("counts open candidates when a kind changes: none can become a head that the kind forbids", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const kind = await create(ada, flag);
  const candidate = await frozen(registry, "m", await draftOf(ada, "m", { "flag/b": { percent: 60 } }));
  const narrower = {
    ...open(kind),
    rules: [{ id: "range", expression: "spec.percent < 50.0", message: "below 50" }],
  };
  expect(await refusalOf(ada.updateKind({ kind: narrower }, options))).toBe(
    "FAILED_PRECONDITION KIND_BREAKS_ENTITIES",
  );
  await promoted(registry, "m", candidate);
  expect(await refusalOf(ada.updateKind({ kind: narrower }, options))).toBe(
    "FAILED_PRECONDITION KIND_BREAKS_ENTITIES",
  );
});

it("C6: while a commit is not confirmed, no kind changes so that the version behind it could not come back", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const kind = await create(ada, flag);
  await commit(registry, "m", { "flag/a": { percent: 60 } });
  const candidate = await frozen(
    registry,
    "m",
    await draftOf(ada, "m", { "flag/a": { percent: 10 } }),
    "waits",
  );
  await slotOf(registry, { proposal: "waits", armed: false });
  await promoted(registry, "m", candidate);
  const rules = [{ id: "range", expression: "spec.percent < 50.0", message: "below 50" }];
  const narrower = { ...open(kind), rules };
  // Promoted a moment ago, waiting, being reverted, and waiting again after a revert that was aborted.
  for (const slot of [
    { proposal: "waits", armed: false },
    { proposal: "waits", armed: true },
    { proposal: "reverts", armed: false, reverts: "waits" },
    { proposal: "waits", armed: true },
  ]) {
    await slotOf(registry, slot);
    const error = await errorOf(ada.updateKind({ kind: narrower }, options));
    expect([error.reason, error.preconditions.map(({ subject }) => subject)]).toEqual([
      "KIND_BREAKS_ENTITIES",
      ["models/m/entities/flag/a"],
    ]);
    expect(error.preconditions[0]?.description).toContain("in version 1, to which the model may go back");
  }
  await slotOf(registry, undefined);
  await ada.updateKind({ kind: narrower }, options);
});

it("C6: a kind is not changed on what was found before a commit began to wait", async () => {
  await using store = await openStore();
  let meanwhile = async (): Promise<void> => {};
  const overtaken = (inner: CpStore): CpStore =>
    Object.assign(Object.create(inner) as CpStore, {
      transact: (async (transaction, each) => {
        if (transaction.then.some((each) => each.type === "put" && each.key === "kind/m/flag"))
          await meanwhile();
        return await inner.transact(transaction, each);
      }) satisfies CpStore["transact"],
    });
  await using registry = await onStore(store, { wrap: overtaken });
  const ada = registry.as("ada");
  await createModel(registry);
  const kind = await create(ada, flag);
  meanwhile = () => slotOf(registry, { proposal: "waits", armed: true });
  expect(await refusalOf(ada.updateKind({ kind: { ...open(kind), rules: [] } }, options))).toBe(
    "ABORTED STALE_ETAG",
  );
});

it("finds references by a kind's new paths as soon as it has them", async () => {
  await using registry = await openRegistry();
  const ada = registry.as("ada");
  await createModel(registry);
  const kind = await create(ada, { ...flag, references: [] });
  await commit(registry, "m", { "stream/s": { schema: true }, "flag/a": { percent: 1, on: "s" } });
  await commit(registry, "m", { "flag/b": { percent: 1, on: "s" } });
  const deleting = () => draftOf(ada, "m", { "stream/s": null });
  expect((await ada.validateDraft({ name: (await deleting()).name }, options)).findings).toEqual([]);
  await ada.updateKind({ kind: { ...open(kind), references: [{ path: "on", kind: "stream" }] } }, options);
  const { findings } = await ada.validateDraft({ name: (await deleting()).name }, options);
  expect(findings.map(({ reason, message }) => [reason, message])).toEqual([
    ["DELETE_OF_REFERENCED", "stream/s is deleted, but still referred to by flag/a, flag/b"],
  ]);
});

it("freezes by the kinds that there are, not by those that a slow watch has told of", async () => {
  const told = Promise.withResolvers<void>();
  const slow = (store: CpStore): CpStore =>
    Object.assign(Object.create(store) as CpStore, {
      watch: ((range, after, each) =>
        "prefix" in range && range.prefix === "kind/"
          ? afterwards(told.promise, store.watch(range, after, each))
          : store.watch(range, after, each)) satisfies CpStore["watch"],
    });
  await using store = await openStore();
  await using registry = await onStore(store);
  await createModel(registry);
  const ada = registry.as("ada");
  const kind = await create(ada, flag);
  await using replica = await onStore(store, { wrap: slow });
  const draft = await draftOf(replica.as("ada"), "m", { "flag/b": { percent: 60 } });
  const rules = [{ id: "range", expression: "spec.percent < 50.0", message: "below 50" }];
  await ada.updateKind({ kind: { ...open(kind), rules } }, options);
  const freezing = errorOf(frozen(replica, "m", draft));
  told.resolve();
  expect((await freezing).reason).toBe("DRAFT_INVALID");
});

async function* afterwards<T>(
  first: Promise<void>,
  then: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  await first;
  yield* then;
}
