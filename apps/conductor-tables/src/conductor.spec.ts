import { preparationOf, reviewOf, type Specs } from "@greco/conductor-kit/testing";
import { describe, expect, it } from "vitest";
import type { EntityIdentity } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { createTablesConductor } from "./conductor.ts";

const { signal } = new AbortController();
const tablesConductor = createTablesConductor({ clock: systemClock });
const schema = {
  type: "object",
  required: ["band", "euros"],
  properties: { band: { type: "string" }, euros: { type: "number" }, upTo: { type: "number" } },
  additionalProperties: false,
};
const bands = (rows: unknown[], more: object = {}): Specs => ({
  "table/bands": { key: "band", schema, rows, ...more },
});
const good = [
  { band: "near", euros: 250 },
  { band: "far", euros: 600, upTo: 9_000 },
];
const review = (changes: Specs, before: Specs = {}) =>
  tablesConductor.review(reviewOf({ before, changes, kinds: ["table"] }), signal);
const findings = async (changes: Specs) => {
  const opinion = await review(changes);
  return opinion.vote === "veto" ? opinion.findings : [];
};

describe("a table", () => {
  it("is accepted and claimed when its rows fit, with what is done in risk order to read", async () => {
    expect(await review(bands(good))).toMatchObject({
      vote: "accept",
      claims: ["table/bands"],
      plan: { steps: [{ action: "create", object: "table bands", risk: "low", note: "2 rows" }] },
    });
    expect(await review(bands(good), bands([]))).toMatchObject({
      plan: { steps: [{ action: "update", risk: "medium" }] },
    });
    expect(await review({ "table/bands": undefined }, bands([]))).toMatchObject({
      claims: ["table/bands"],
      plan: { steps: [{ action: "delete" }] },
    });
  });

  it("becomes a binding with its rows, the same for the same table", async () => {
    const { key, ...rest } = bands(good)["table/bands"] as { key: string };
    const [one] = await tablesConductor.prepare(
      preparationOf(reviewOf({ changes: bands(good), kinds: ["table"] })),
      signal,
    );
    const [other] = await tablesConductor.prepare(
      preparationOf(reviewOf({ changes: { "table/bands": { ...rest, key } }, kinds: ["table"] })),
      signal,
    );
    expect(one?.entity).toBe("table/bands@2");
    expect(JSON.parse(one?.content ?? "")).toEqual({ name: "bands", key: "band", schema, rows: good });
    expect(other).toEqual(one);
  });

  it("is vetoed to the row and the field", async () => {
    const wrong = [
      good[0],
      { band: "far", euros: "600" },
      { euros: 1 },
      { band: 5, euros: 1 },
      { band: "near", euros: 2, upto: 3 },
    ];
    const places = (await findings(bands(wrong))).map(({ fieldPath, reason }) => `${fieldPath} ${reason}`);
    expect(places).toEqual([
      "rows[1].euros ROW_INVALID",
      "rows[2].band ROW_INVALID",
      "rows[2].band KEY_MISSING",
      "rows[3].band ROW_INVALID",
      "rows[3].band KEY_NOT_TEXT",
      "rows[4].upto ROW_INVALID",
      "rows[4].band KEY_REPEATED",
    ]);
    const [euros, , , , , upto, repeated] = await findings(bands(wrong));
    expect(euros).toMatchObject({
      entity: "table/bands",
      message: "row 1: euros must be a number, is a string",
    });
    expect(upto?.message).toContain("did you mean upTo?");
    expect(repeated?.message).toBe('row 4 has the key "near" of row 0');
  });

  it("is vetoed for a schema that is none, and for its size", async () => {
    const typo = { type: "object", propertys: {} };
    expect((await findings(bands([], { schema: typo })))[0]).toMatchObject({
      fieldPath: expect.stringContaining("schema"),
    });
    const large = Array.from({ length: 30_000 }, (_, n) => ({ band: `band number ${n}`, euros: n }));
    expect(await findings(bands(large))).toMatchObject([{ fieldPath: "rows", reason: "TABLE_TOO_LARGE" }]);
  });

  it("is run by the lanes of the streams whose queries look it up", async () => {
    const flows = [
      { from: "flights", to: "paid", tables: ["bands"] },
      { from: "trains", to: "paid", tables: [] },
    ];
    const binding = { entity: "table/bands@1" as EntityIdentity, content: "{}" };
    expect(await tablesConductor.inputsOf?.(binding, () => Promise.resolve(flows))).toEqual([
      "stream/flights",
    ]);
  });

  it("I15: takes keys that are names of Object's own for what they are", async () => {
    const rows = [
      { band: "constructor", euros: 1 },
      { band: "__proto__", euros: 2 },
    ];
    expect((await review(bands(rows))).vote).toBe("accept");
    const inherited = { "table/bands": { key: "toString", schema: true, rows: [{ band: "a" }] } };
    expect(await findings(inherited)).toMatchObject([{ reason: "KEY_MISSING" }]);
  });
});
