import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { createClient, GrecoError } from "@greco/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MODEL, PARENT, stream, World } from "./world.ts";

async function errorOf(call: Promise<unknown>): Promise<GrecoError> {
  const error: unknown = await call.then(
    () => undefined,
    (each: unknown) => each,
  );
  if (!(error instanceof GrecoError)) throw new Error("the call should have been refused", { cause: error });
  return error;
}

describe("roles and second-person approval", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("I14: an editor saves drafts, and is refused make-it-so with the missing role named", async () => {
    const { name, etag } = await world.draft([stream("orders", { n: { type: "number" } })], "editor");
    const refused = await errorOf(
      world.dev.clients("editor").commit.makeItSo({ draft: name, etag }, { signal: world.signal }),
    );
    expect(refused.code).toBe("PERMISSION_DENIED");
    expect(refused.message).toContain("releaser");
    const model = await world.dev
      .clients("viewer")
      .registry.getModel({ name: PARENT }, { signal: world.signal });
    expect(model.headVersion).toBe(0n);
  });

  it("I14: a viewer reads and cannot edit", async () => {
    const refused = await errorOf(
      world.dev
        .clients("viewer")
        .registry.createDraft({ parent: PARENT, draftId: "mine" }, { signal: world.signal }),
    );
    expect(refused.code).toBe("PERMISSION_DENIED");
    expect(refused.message).toContain("editor");
    const { drafts } = await world.dev
      .clients("viewer")
      .registry.listDrafts({ parent: PARENT }, { signal: world.signal });
    expect(drafts.map((draft) => draft.name)).not.toContain(`${PARENT}/drafts/mine`);
  });

  it("I14: a call without a token, or with one that nobody issued, is refused", async () => {
    const { registry } = world.dev.clients("viewer");
    const draftsOf = async (): Promise<readonly string[]> =>
      (await registry.listDrafts({ parent: PARENT }, { signal: world.signal })).drafts.map(
        ({ name }) => name,
      );
    const before = await draftsOf();
    for (const token of [{}, { token: "nobody-issued-it" }]) {
      await using nobody = createClient(RegistryService, { address: world.dev.addresses.registry, ...token });
      const { signal } = world;
      for (const call of [
        () => nobody.getModel({ name: PARENT }, { signal }),
        () => nobody.createDraft({ parent: PARENT, draftId: "nobodys" }, { signal }),
      ])
        expect(await errorOf(call())).toMatchObject({
          code: "UNAUTHENTICATED",
          reason: expect.stringMatching(/^[A-Z][A-Z0-9_]+$/) as unknown,
        });
    }
    expect(await draftsOf()).toEqual(before);
  });

  it("needs a second person where the model says so, bound to the etag, never the author", async () => {
    const admin = world.dev.clients("admin");
    const model = await admin.registry.getModel({ name: PARENT }, { signal: world.signal });
    await admin.registry.updateModel(
      { model: { ...model, approvalRequired: true } },
      { signal: world.signal },
    );
    const { name, etag } = await world.draft([stream("approved", { n: { type: "number" } })], "releaser");
    const releaser = world.dev.clients("releaser");

    const unapproved = await errorOf(
      releaser.commit.makeItSo({ draft: name, etag }, { signal: world.signal }),
    );
    expect(unapproved.code).toBe("FAILED_PRECONDITION");
    expect(unapproved.message).toMatch(/approv/);
    const own = await errorOf(releaser.registry.approveDraft({ name, etag }, { signal: world.signal }));
    expect(own.message).toMatch(/author|own|second/);

    await admin.registry.approveDraft({ name, etag }, { signal: world.signal });
    const edited = await releaser.registry.editDraft(
      {
        name,
        etag: (await releaser.registry.getDraft({ name }, { signal: world.signal })).etag,
        changes: [
          {
            entity: `${PARENT}/entities/stream/approved`,
            action: { case: "putSpecJson", value: JSON.stringify({ schema: { type: "object" } }) },
          },
        ],
      },
      { signal: world.signal },
    );
    const stale = await errorOf(
      releaser.commit.makeItSo({ draft: name, etag: edited.draft?.etag ?? "" }, { signal: world.signal }),
    );
    expect(stale.message).toMatch(/approv/);

    const approved = await admin.registry.approveDraft(
      { name, etag: edited.draft?.etag ?? "" },
      { signal: world.signal },
    );
    const proposal = await world
      .story("releaser")
      .makeItSo(name, approved.etag, "approved by two", world.signal);
    expect(proposal.version).toBe(1n);
  });

  it("writes who did what, when and why into the audit log", async () => {
    const { auditRecords } = await world.dev
      .clients("viewer")
      .registry.listAuditRecords({ parent: PARENT, pageSize: 100 }, { signal: world.signal });
    const made = auditRecords.find(
      (record) => record.method.endsWith("/MakeItSo") && record.reason === "approved by two",
    );
    expect(made?.actor).toBe("releaser");
    expect(
      auditRecords.some((record) => record.method.endsWith("/ApproveDraft") && record.actor === "admin"),
    ).toBe(true);
  });

  it("lets an admin give a person another role in one model", async () => {
    const admin = world.dev.clients("admin");
    await admin.registry.setRoleBinding(
      { parent: `models/${MODEL}`, roleBinding: { subject: "viewer", role: 2 } },
      { signal: world.signal },
    );
    const draft = await world.dev
      .clients("viewer")
      .registry.createDraft({ parent: PARENT, draftId: "promoted" }, { signal: world.signal });
    expect(draft.author).toBe("viewer");
  });
});
