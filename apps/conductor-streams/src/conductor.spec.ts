import { join } from "node:path";
import { openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { preparationOf, reviewOf, temporaryFolder, type Specs } from "@greco/conductor-kit/testing";
import type { Entry } from "@greco/domain/lane";
import { laneId, seq, writerId } from "@greco/domain/lane";
import { epoch, modelId, type EntityIdentity } from "@greco/domain/model";
import type { LaneStore } from "@greco/ports";
import { systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createStreamsConductor } from "./conductor.ts";
import { STREAM_LIMITS } from "./limits.ts";

const { signal } = new AbortController();
const stack = new AsyncDisposableStack();
let laneStore: LaneStore;

beforeAll(async () => {
  const folder = stack.use(temporaryFolder("streams"));
  laneStore = stack.use(
    await openEmbeddedLaneStore({ path: join(folder.path, "lanes.db"), clock: systemClock }),
  );
});
afterAll(() => stack[Symbol.asyncDispose]());

const schema = {
  type: "object",
  required: ["delay"],
  properties: { delay: { type: "integer" }, origin: { type: "string" }, tags: { type: "array" } },
};
const flights = (more: object = {}): Specs => ({ "stream/flights": { schema, ...more } });
const conductor = () => createStreamsConductor({ laneStore, clock: systemClock });
const review = (changes: Specs, before: Specs = {}) =>
  conductor().review(reviewOf({ before, changes, kinds: ["stream"] }), signal);
async function findings(changes: Specs, before: Specs = {}) {
  const opinion = await review(changes, before);
  return opinion.vote === "veto" ? opinion.findings : [];
}
const steps = async (changes: Specs, before: Specs = {}) => {
  const opinion = await review(changes, before);
  return opinion.vote === "accept"
    ? opinion.plan.steps.map(({ action, risk, note }) => `${action} ${risk} ${note}`)
    : [];
};

describe("a stream", () => {
  it("is accepted and claimed, and becomes a binding with its defaults", async () => {
    expect(await review(flights())).toMatchObject({ vote: "accept", claims: ["stream/flights"] });
    const prepared = await conductor().prepare(
      preparationOf(reviewOf({ changes: flights({ retention: "36h", key: "origin" }), kinds: ["stream"] })),
      signal,
    );
    expect(prepared.map(({ entity, content }) => [entity, JSON.parse(content)])).toEqual([
      ["stream/flights@2", { name: "flights", schema, lanes: 4, key: "origin", retentionMs: 129_600_000 }],
    ]);
  });

  it("is planned with what it means for its lanes, and the risk of it", async () => {
    const before = flights({ retention: "7d" });
    expect(await steps(flights())).toEqual(["create low 4 at each ingress"]);
    expect(await steps({ "stream/flights": undefined }, before)).toEqual([
      "delete high they end at the marker; what they hold goes with its retention",
    ]);
    expect(await steps(flights({ lanes: 8, compatibility: "unchecked", schema: true }), before)).toEqual([
      "update medium retention 7d → for ever: new lanes are opened, the old ones end",
      "update low 4 → 8 at each ingress",
      "update high another schema; stored messages were not checked",
    ]);
  });

  it("is vetoed for what is wrong with it by itself, with what to do", async () => {
    const places = async (more: object) =>
      (await findings(flights(more))).map(({ fieldPath, reason, remedy }) => [fieldPath, reason, remedy]);
    expect(await places({ lanes: 65 })).toEqual([
      ["lanes", "LANES_OUT_OF_RANGE", "take a whole number from 1 to 64"],
    ]);
    for (const retention of ["4000d", "0s", "soon"])
      expect((await places({ retention }))[0]).toContain("RETENTION_OUT_OF_RANGE");
    expect(await places({ key: "orign" })).toEqual([["key", "UNKNOWN_FIELD", "did you mean origin?"]]);
    expect((await places({ key: "tags" }))[0]).toContain("KEY_NOT_TEXT");
    expect(await places({ key: "anything", schema: { type: "object", additionalProperties: true } })).toEqual(
      [],
    );
    const wrong = { type: "object", properties: { delay: { type: "int" } } };
    expect((await places({ schema: wrong }))[0]?.[0]).toBe("schema.properties.delay.type");
    const slow = { type: "object", properties: { code: { type: "string", pattern: "(?=a)b" } } };
    expect((await places({ schema: slow }))[0]?.[0]).toContain("schema.properties.code.pattern");
  });
});

it("is run by its own lanes, and by those whose queries write to it", async () => {
  const flows = [
    { from: "flights", to: "paid", tables: [] },
    { from: "paid", to: "sums", tables: [] },
  ];
  const binding = { entity: "stream/paid@1" as EntityIdentity, content: "{}" };
  const inputs = await conductor().inputsOf?.(binding, () => Promise.resolve(flows));
  expect(inputs).toEqual(["stream/paid", "stream/flights"]);
});

describe("a schema that changes while messages are stored", () => {
  const model = modelId("m");
  const stream = "stream/flights@1" as EntityIdentity;
  const lane = laneId("l1");
  const row = (at: number, value: unknown): Entry => ({
    kind: "data",
    seq: seq(at),
    epoch: epoch(1),
    appendedAtMs: 0,
    key: "k",
    payload: new TextEncoder().encode(JSON.stringify(value)),
  });
  const needsOrigin = { ...schema, required: ["delay", "origin"] };

  it("is vetoed when they break it: lane, seq, field, and what to do", async () => {
    const info = { model, id: lane, stream, writer: writerId("w"), registeredAtMs: 0 };
    await laneStore.registerLane(info, signal);
    const marker: Entry = { kind: "marker", seq: seq(1), epoch: epoch(1), appendedAtMs: 0 };
    const many = Array.from({ length: STREAM_LIMITS.pageRows + 50 }, (_, n) =>
      row(n + 2, n === STREAM_LIMITS.pageRows + 10 ? { delay: 5 } : { delay: n, origin: "SFO" }),
    );
    await laneStore.append(model, [{ lane, entries: [marker, ...many] }], signal);

    const changed = flights({ schema: needsOrigin });
    expect(await findings(changed, flights())).toEqual([
      {
        severity: "error",
        entity: "stream/flights",
        fieldPath: "schema",
        reason: "STORED_MESSAGES_BREAK",
        message: "a stored message breaks the new schema: lane l1, seq 512: origin is required",
        remedy:
          'allow what is stored (make the field optional, or its type wider), or set compatibility to "unchecked"',
      },
    ]);
    expect(await findings(flights({ schema: needsOrigin, compatibility: "unchecked" }), flights())).toEqual(
      [],
    );
    const wider = { ...schema, properties: { ...schema.properties, delay: { type: "number" } } };
    expect(await findings(flights({ schema: wider }), flights())).toEqual([]);
    // The same schema needs no look, and another stream of that name has none of these messages.
    expect(await findings(flights({ schema: needsOrigin, lanes: 2 }), changed)).toEqual([]);
    expect(await findings(changed)).toEqual([]);
  });

  it("costs no look at them when it only says more, and is planned as that", async () => {
    const unread = Object.assign(Object.create(laneStore) as LaneStore, {
      listLanes: () => Promise.reject(new Error("the lanes were looked at")),
    });
    const described = {
      ...schema,
      description: "flights that have landed",
      // A field of that name is none.
      properties: { ...schema.properties, delay: { type: "integer", title: "minutes" } },
    };
    const of = (after: object, before: object) => {
      const changes = flights({ schema: after });
      const asked = reviewOf({ before: flights({ schema: before }), changes, kinds: ["stream"] });
      return createStreamsConductor({ laneStore: unread, clock: systemClock }).review(asked, signal);
    };
    const opinion = await of(described, schema);
    expect(opinion.vote === "accept" && opinion.plan.steps.map(({ risk, note }) => [risk, note])).toEqual([
      ["low", "the schema says more, and checks the same"],
    ]);
    const field = { ...schema, properties: { ...schema.properties, description: { type: "string" } } };
    await expect(of(field, schema)).rejects.toThrow("looked at");
  });

  it("is accepted once what breaks it is past its retention, and what stands behind a lane's end is none", async () => {
    const changed = flights({ schema: needsOrigin });
    await laneStore.trim(model, lane, seq(513), signal);
    expect(await findings(changed, flights())).toEqual([]);
    const sealed = laneId("l2");
    await laneStore.registerLane(
      { model, id: sealed, stream, writer: writerId("w"), registeredAtMs: 0 },
      signal,
    );
    await laneStore.append(model, [{ lane: sealed, entries: [row(1, { delay: 1 })] }], signal);
    expect(await findings(changed, flights())).toHaveLength(1);
    await laneStore.endLane(model, sealed, seq(0), signal);
    expect(await findings(changed, flights())).toEqual([]);
  });
});
