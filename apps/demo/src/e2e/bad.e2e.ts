import { Metadata, Client as GrpcClient, credentials, status } from "@grpc/grpc-js";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorOf, fingerprint } from "./refusal.ts";
import { PARENT, scaling, stream, World } from "./world.ts";

type Refused = Awaited<ReturnType<typeof errorOf>>;

const FIELDS = { n: { type: "number" }, by: { type: "string" } };

describe("I15: bad input gets a precise status, changes nothing, crashes nothing", () => {
  let world: World;
  let draft: { name: string; etag: string };
  beforeAll(async () => {
    world = await World.start();
    await world.commit([stream("a", FIELDS), stream("b", FIELDS), scaling("q", "a", "b", 1)]);
    await world.commit([stream("gone", FIELDS)]);
    const removal = await world.draft([]);
    const { registry } = world.dev.clients("editor");
    const edited = await registry.editDraft(
      {
        name: removal.name,
        etag: removal.etag,
        changes: [{ entity: `${PARENT}/entities/stream/gone`, action: { case: "delete", value: true } }],
      },
      { signal: world.signal },
    );
    await world.story("releaser").makeItSo(removal.name, edited.draft?.etag ?? "", "remove", world.signal);
    draft = await world.draft([]);
    // One entry each, so that lanes are there to be left alone; and the removal has reached the ingress.
    await world.dev
      .clients("admin")
      .ingress.publish(
        { stream: `${PARENT}/streams/a`, message: { payload: encode({ n: 1, by: "" }) }, atLeastEpoch: 3n },
        { signal: world.signal },
      );
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const encode = (value: unknown): Uint8Array =>
    new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  const edit = (entity: string, spec: unknown) => () =>
    world.dev.clients("editor").registry.editDraft(
      {
        name: draft.name,
        etag: draft.etag,
        changes: [
          {
            entity,
            action: { case: "putSpecJson", value: typeof spec === "string" ? spec : JSON.stringify(spec) },
          },
        ],
      },
      { signal: world.signal },
    );
  const publish = (streamName: string, payload: unknown) => () =>
    world.dev
      .clients("admin")
      .ingress.publish(
        { stream: `${PARENT}/streams/${streamName}`, message: { payload: encode(payload) } },
        { signal: world.signal },
      );
  const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  const at = (kind: string, name: string): string => `${PARENT}/entities/${kind}/${name}`;

  /** [title, call, code, what the message or a violation must say] */
  const cases: readonly (readonly [string, () => () => Promise<unknown>, string, RegExp])[] = [
    ["a spec that is no JSON", () => edit(at("stream", "x"), "{nope"), "INVALID_ARGUMENT", /JSON/],
    ["a spec that is an array", () => edit(at("stream", "x"), []), "INVALID_ARGUMENT", /object/],
    ["an unknown kind", () => edit(at("strem", "x"), {}), "INVALID_ARGUMENT", /stream|kind/],
    [
      "a __proto__ key",
      () => edit(at("stream", "x"), '{"schema":{"__proto__":{"polluted":true}}}'),
      "INVALID_ARGUMENT",
      /__proto__/,
    ],
    ["deep nesting", () => edit(at("stream", "x"), nested(10_000)), "INVALID_ARGUMENT", /deep|nest|depth/],
    [
      "an id with a dot",
      () => edit(`${PARENT}/entities/stream/a.b`, {}),
      "INVALID_ARGUMENT",
      /a-z0-9-|entities/,
    ],
    [
      "an id with a star",
      () => edit(`${PARENT}/entities/stream/a*`, {}),
      "INVALID_ARGUMENT",
      /a-z0-9-|entities/,
    ],
    [
      "an id with a greater-than",
      () => edit(`${PARENT}/entities/stream/>`, {}),
      "INVALID_ARGUMENT",
      /a-z0-9-|entities/,
    ],
    [
      "an id with a slash",
      () => edit(`${PARENT}/entities/stream/a/b`, {}),
      "INVALID_ARGUMENT",
      /a-z0-9-|entities/,
    ],
    [
      "an id with NUL",
      () => edit(`${PARENT}/entities/stream/a\0b`, {}),
      "INVALID_ARGUMENT",
      /a-z0-9-|entities/,
    ],
    [
      "an id in mixed Unicode",
      () => edit(`${PARENT}/entities/stream/ａé`, {}),
      "INVALID_ARGUMENT",
      /a-z0-9-|entities/,
    ],
    [
      "an entity of another model",
      () => edit("models/other/entities/stream/a", {}),
      "INVALID_ARGUMENT",
      /other|model/,
    ],
    [
      "a stale etag",
      () => () =>
        world.dev.clients("editor").registry.editDraft(
          {
            name: draft.name,
            etag: "stale",
            changes: [{ entity: at("stream", "x"), action: { case: "putSpecJson", value: "{}" } }],
          },
          { signal: world.signal },
        ),
      "ABORTED",
      /etag|changed/,
    ],
    [
      "a page token that is none",
      () => () =>
        world.dev
          .clients("viewer")
          .registry.listEntities({ parent: PARENT, pageToken: "nonsense" }, { signal: world.signal }),
      "INVALID_ARGUMENT",
      /page/,
    ],
    [
      "a page size beyond the limit",
      () => () =>
        world.dev
          .clients("viewer")
          .registry.listEntities({ parent: PARENT, pageSize: 100_000 }, { signal: world.signal }),
      "INVALID_ARGUMENT",
      /page_?[sS]ize|1000/,
    ],
    [
      "an unknown entity",
      () => () =>
        world.dev
          .clients("viewer")
          .registry.getEntity({ name: at("stream", "nobody") }, { signal: world.signal }),
      "NOT_FOUND",
      /nobody/,
    ],
    [
      "a version that is not there yet",
      () => () =>
        world.dev
          .clients("releaser")
          .commit.rollback({ model: PARENT, toVersion: 99n }, { signal: world.signal }),
      "NOT_FOUND",
      /99/,
    ],
    [
      "a kind with a catastrophic pattern and a rule that does not compile",
      () => () =>
        world.dev.clients("admin").registry.createKind(
          {
            parent: PARENT,
            kindId: "bad",
            kind: {
              displayName: "Bad",
              schemaJson: JSON.stringify({
                type: "object",
                properties: { s: { type: "string", pattern: "^(a+)+$" } },
              }),
              rules: [{ id: "r", expression: "spec.(", message: "m" }],
            },
          },
          { signal: world.signal },
        ),
      "INVALID_ARGUMENT",
      /rule|expression/,
    ],
    ["a publish to an unknown stream", () => publish("nowhere", { n: 1, by: "" }), "NOT_FOUND", /nowhere/],
    ["a publish to a removed stream", () => publish("gone", { n: 1, by: "" }), "NOT_FOUND", /gone/],
    ["a payload that is no JSON", () => publish("a", "{nope"), "INVALID_ARGUMENT", /JSON/],
    [
      "a payload that is no UTF-8",
      () => () =>
        world.dev
          .clients("admin")
          .ingress.publish(
            { stream: `${PARENT}/streams/a`, message: { payload: new Uint8Array([0x22, 0xff, 0x22]) } },
            { signal: world.signal },
          ),
      "INVALID_ARGUMENT",
      /UTF-8/,
    ],
    ["a payload of the wrong type", () => publish("a", { n: "one", by: "" }), "INVALID_ARGUMENT", /n/],
    [
      "a payload with __proto__",
      () => publish("a", '{"n":1,"by":"","__proto__":{"x":1}}'),
      "INVALID_ARGUMENT",
      /__proto__/,
    ],
    ["a payload nested too deep", () => publish("a", nested(5_000)), "INVALID_ARGUMENT", /deep|nest|depth/],
    [
      "a forged marker: a publish to the built-in stream",
      () => publish("epochs", { epoch: 99 }),
      "INVALID_ARGUMENT",
      /epochs/,
    ],
  ];

  it.each(cases)("%s", async (_title, make, code, says) => {
    const before = await fingerprint(world);
    const error = await errorOf(make());
    expect(error.code).toBe(code);
    expect(error.reason, error.message).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(
      [
        error.message,
        ...error.violations.map((each) => `${each.field} ${each.description}`),
        ...error.preconditions.map((each) => each.description),
      ].join("\n"),
    ).toMatch(says);
    expect(await fingerprint(world)).toEqual(before);
  });

  async function frozen(
    changes: Parameters<World["draft"]>[0],
    deletes: readonly string[] = [],
  ): Promise<Refused> {
    const made = await world.draft(changes);
    let etag = made.etag;
    if (deletes.length > 0) {
      const edited = await world.dev.clients("editor").registry.editDraft(
        {
          name: made.name,
          etag,
          changes: deletes.map((entity) => ({ entity, action: { case: "delete", value: true } })),
        },
        { signal: world.signal },
      );
      etag = edited.draft?.etag ?? etag;
    }
    const before = await fingerprint(world);
    const error = await errorOf(() =>
      world.dev.clients("releaser").commit.makeItSo({ draft: made.name, etag }, { signal: world.signal }),
    );
    expect(await fingerprint(world)).toEqual(before);
    return error;
  }
  const saysOf = (error: Refused): string =>
    [
      error.message,
      ...error.preconditions.map((each) => `${each.subject} ${each.description}`),
      ...error.violations.map((each) => each.description),
    ].join("\n");

  it("an unknown reference is a warning in the draft and stops make-it-so", async () => {
    const error = await frozen([scaling("lost", "nowhere", "b", 1)]);
    expect(error.code).toBe("FAILED_PRECONDITION");
    expect(saysOf(error)).toMatch(/nowhere/);
  });
  it("a cycle is named", async () => {
    const error = await frozen([scaling("back", "b", "a", 1)]);
    expect(error.code).toBe("FAILED_PRECONDITION");
    expect(saysOf(error)).toMatch(/cycle|circle/);
  });
  it("a delete of what is referenced names who refers to it", async () => {
    const error = await frozen([], [at("stream", "b")]);
    expect(error.code).toBe("FAILED_PRECONDITION");
    expect(saysOf(error)).toMatch(/query\/q/);
  });
  // An engine that backtracks takes years for it, and answers nobody meanwhile.
  it("a catastrophic pattern is answered like any other, and others are served beside it", async () => {
    const evil = stream("evil", { s: { type: "string", pattern: "^(a+)+$" } });
    const { version } = await world.commit([evil]);
    expect(version).toBeGreaterThan(0n);
    const { ingress } = world.dev.clients("admin");
    const send = (name: string, value: unknown) => () =>
      ingress.publish(
        {
          stream: `${PARENT}/streams/${name}`,
          message: { payload: encode(value) },
          atLeastEpoch: version,
        },
        { signal: world.signal },
      );
    const [refused, beside] = await Promise.all([
      errorOf(send("evil", { s: `${"a".repeat(60)}!` })),
      send("a", { n: 2, by: "" })(),
    ]);
    expect(refused).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(saysOf(refused)).toMatch(/payload\.s must match/);
    expect(beside.position?.seq).toBeGreaterThan(0n);
    await send("evil", { s: "a".repeat(60) })();
  });
  it("a stale draft says so, with the remedy", async () => {
    const stale = await world.draft([stream("late", FIELDS)]);
    await world.commit([stream("sooner", FIELDS)]);
    const error = await errorOf(() =>
      world.dev
        .clients("releaser")
        .commit.makeItSo({ draft: stale.name, etag: stale.etag }, { signal: world.signal }),
    );
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", reason: "STALE_DRAFT" });
    expect(saysOf(error)).toMatch(/rebase/);
  });

  it("malformed bytes and more than 4 MiB are refused, and the service goes on", async () => {
    const token = await readFile(join(world.dev.tokenDir, "admin"), "utf8");
    const raw = new GrpcClient(world.dev.addresses.registry, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const call = (bytes: Buffer): Promise<{ code: number; details: string }> =>
      new Promise((resolve, reject) =>
        raw.makeUnaryRequest(
          "/greco.registry.v1.RegistryService/GetModel",
          (each: Buffer) => each,
          (each: Buffer) => each,
          bytes,
          metadata,
          (error) => (error === null ? reject(new Error("accepted")) : resolve(error)),
        ),
      );
    try {
      const malformed = await call(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x41]));
      expect(malformed.code).toBe(status.INVALID_ARGUMENT);
      const large = await call(Buffer.alloc(5 * 1024 * 1024, 0x20));
      expect(large.code).toBe(status.RESOURCE_EXHAUSTED);
      expect(large.details).toMatch(/4|MiB|bytes|larger/);
    } finally {
      raw.close();
    }
    expect(
      (await world.dev.clients("viewer").registry.getModel({ name: PARENT }, { signal: world.signal })).name,
    ).toBe(PARENT);
  });
});
