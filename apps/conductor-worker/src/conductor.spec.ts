import { preparationOf, reviewOf, type Specs } from "@greco/conductor-kit/testing";
import { describe, expect, it } from "vitest";
import type { EntityIdentity } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { createWorkerConductor } from "./conductor.ts";

const { signal } = new AbortController();
const workerConductor = createWorkerConductor({ clock: systemClock });
const object = (properties: object, required: string[] = [], more: object = {}) => ({
  schema: { type: "object", required, properties, ...more },
});
const number = { type: "number" };
const string = { type: "string" };

const model: Specs = {
  "stream/flights": object({
    delay: { type: "integer" },
    origin: string,
    carrier: { ...object({ code: string }).schema },
  }),
  "stream/paid": object({ euros: number, origin: string }, ["euros"], { additionalProperties: false }),
  "table/bands": {
    key: "band",
    rows: [{ band: "far", euros: 600 }],
    ...object({ band: string, euros: number }),
  },
  "query/late": {
    from: "flights",
    to: "paid",
    tables: ["bands"],
    where: "event.delay >= 180",
    select: { euros: 'tables.bands["far"].euros', origin: "event.origin" },
  },
};
const late = (more: object): Specs => ({ "query/late": { ...(model["query/late"] as object), ...more } });
const review = (changes: Specs, referring: string[] = []) =>
  workerConductor.review(reviewOf({ before: model, changes, referring, kinds: ["query"] }), signal);
async function findings(changes: Specs, referring: string[] = []) {
  const opinion = await review(changes, referring);
  return opinion.vote === "veto" ? opinion.findings : [];
}
const brief = async (changes: Specs, referring: string[] = []) =>
  (await findings(changes, referring)).map(
    ({ entity, fieldPath, column, reason }) =>
      `${entity} ${fieldPath}${column === undefined ? "" : `:${column}`} ${reason}`,
  );
const content = async (changes: Specs, referring: string[] = []): Promise<string | undefined> => {
  const request = reviewOf({ before: model, changes, referring, kinds: ["query"] });
  return (await workerConductor.prepare(preparationOf(request), signal))[0]?.content;
};
const handler = (source: string): Specs => ({ "query/h": { from: "flights", to: "paid", handler: source } });

describe("a query", () => {
  it("is accepted and claimed when its expressions fit the streams and tables", async () => {
    expect(await review({ "query/new": model["query/late"] })).toMatchObject({
      vote: "accept",
      claims: ["query/new"],
      plan: {
        steps: [
          {
            action: "create",
            object: "program new@2",
            risk: "low",
            note: "flights → paid, from its marker on",
          },
        ],
      },
    });
    expect(await review(late({ where: "event.delay >= 120" }))).toMatchObject({
      plan: { steps: [{ action: "update", object: "program late@1", risk: "medium" }] },
    });
    expect(await review({ "query/late": undefined })).toMatchObject({
      claims: ["query/late"],
      plan: { steps: [{ action: "delete" }] },
    });
  });

  it("is left to another conductor by its runtime", async () => {
    expect(await review(late({ runtime: "lambda", where: "nonsense" }))).toMatchObject({
      vote: "accept",
      claims: [],
    });
    expect(await review(late({ runtime: "worker" }))).toMatchObject({ claims: ["query/late"] });
  });

  it("is vetoed with field, column, reason and remedy for what its expressions get wrong", async () => {
    const wrong = late({
      where: "event.dealy >= 180",
      select: { euros: "event.delay +", origin: "event.carrier.cod" },
    });
    expect(await findings(wrong)).toMatchObject([
      {
        entity: "query/late",
        fieldPath: "where",
        column: 7,
        reason: "UNKNOWN_FIELD",
        remedy: "did you mean delay?",
      },
      { fieldPath: "select.euros", reason: "SYNTAX_ERROR" },
      { fieldPath: "select.origin", column: 15, reason: "UNKNOWN_FIELD", remedy: "did you mean code?" },
    ]);
    expect(await brief(late({ where: "event.delay" }))).toEqual(["query/late where:1 TYPE_MISMATCH"]);
    expect(await brief(late({ where: 'event.origin.matches("(?=a)")' }))).toEqual([
      "query/late where:22 BAD_LITERAL",
    ]);
  });

  it("is vetoed where its output does not fit the stream that it writes to", async () => {
    expect(await findings(late({ select: { euro: "1.0", origin: "1" } }))).toMatchObject([
      { fieldPath: "select", reason: "OUTPUT_FIELD_MISSING", remedy: "add euros to select; is it euro?" },
      { fieldPath: "select.euro", reason: "OUTPUT_FIELD_UNKNOWN", remedy: "did you mean euros?" },
      {
        fieldPath: "select.origin",
        reason: "OUTPUT_TYPE",
        message: "it gives a number, and stream paid takes a string",
      },
    ]);
    const lists = {
      "stream/lists": object({ codes: { type: "array", items: string } }),
      "query/l": { from: "flights", to: "lists", select: { codes: "[event.delay]" } },
    };
    expect(await findings(lists)).toMatchObject([
      { fieldPath: "select.codes", message: "it gives a number at [], and stream lists takes a string" },
    ]);
    const any = { "query/a": { from: "flights", to: "paid", select: { euros: "dyn(event.origin)" } } };
    expect(await findings(any)).toEqual([]);
  });
});

describe("a change of a stream or a table", () => {
  it("is vetoed when it breaks a query that did not change, naming both", async () => {
    const gone = { "stream/flights": object({ delayed: { type: "integer" }, origin: string }) };
    expect(await findings(gone, ["query/late"])).toMatchObject([
      {
        entity: "query/late",
        fieldPath: "where",
        column: 7,
        reason: "UNKNOWN_FIELD",
        message: 'as stream/flights would be: event has no field "delay"',
        remedy:
          "did you mean delayed?; or keep stream/flights as the query needs it, or change the query in the same draft",
      },
    ]);
    const table = { "table/bands": { key: "band", rows: [], ...object({ band: string, amount: number }) } };
    expect(await brief(table, ["query/late"])).toEqual(["query/late select.euros:21 UNKNOWN_FIELD"]);
    const target = { "stream/paid": object({ euros: string }) };
    expect(await brief(target, ["query/late"])).toEqual(["query/late select.euros OUTPUT_TYPE"]);
  });

  it("is accepted when the query changes with it", async () => {
    const both = {
      "stream/flights": object({ delayed: { type: "integer" }, origin: string }),
      ...late({ where: "event.delayed >= 180" }),
    };
    expect((await review(both)).vote).toBe("accept");
  });

  it("leaves the program as it is unless an expression can see it", async () => {
    const same = await content({}, ["query/late"]);
    const stream = (model["stream/flights"] as { schema: { properties: object } }).schema;
    const described = {
      "stream/flights": { schema: { ...stream, title: "Flights", required: ["delay"] }, lanes: 9 },
    };
    const rows = { "table/bands": { ...(model["table/bands"] as object), rows: [] } };
    expect(await content(described, ["query/late"])).toBe(same);
    expect(await content(rows, ["query/late"])).toBe(same);
    const typed = {
      "stream/flights": { schema: { ...stream, properties: { ...stream.properties, delay: {} } } },
    };
    expect(await content(typed, ["query/late"])).not.toBe(same);
    expect(await review(rows, ["query/late"])).toMatchObject({
      plan: { steps: [{ note: "with the changed table/bands" }] },
    });
    expect(await review(described, ["query/late"])).toMatchObject({
      claims: ["query/late"],
      plan: { steps: [] },
    });
  });

  it("leaves the judgement of a schema that is none to who owns it", async () => {
    expect(await findings({ "stream/flights": { schema: { type: "int" } } }, ["query/late"])).toEqual([]);
  });
});

describe("a handler", () => {
  it("is accepted when it is a module that exports handle, and is not run", async () => {
    for (const source of [
      "export function handle(event) { return event }",
      "export const handle = async (event) => event;",
      "import { createHash } from 'node:crypto'; function handle() {} export { handle };",
      "export async function handle() {} throw new Error('run');",
    ])
      expect(await findings(handler(source))).toEqual([]);
  });

  it("is vetoed where it is none, with the place", async () => {
    expect(await findings(handler("export function handle(event) {\n  return event..x }"))).toMatchObject([
      {
        fieldPath: "handler",
        column: 16,
        reason: "SYNTAX_ERROR",
        message: "it is no ES module: Unexpected token (line 2)",
      },
    ]);
    expect(await findings(handler("export default (event) => event"))).toMatchObject([
      { reason: "NO_HANDLE", message: 'it exports no function "handle" (it exports default)' },
    ]);
    expect(await findings(handler("export const handle = 5"))).toMatchObject([{ reason: "NO_HANDLE" }]);
    expect(await findings(handler("import x from './x.js'; export { x as handle }"))).toMatchObject([
      { reason: "IMPORT_UNKNOWN", column: 1 },
    ]);
    expect(await findings(handler("export function handle(event: unknown) {}"))).toMatchObject([
      { reason: "SYNTAX_ERROR" },
    ]);
  });

  it("keeps its program whatever the schemas become", async () => {
    const before = { ...model, ...handler("export const handle = (e) => e") };
    const of = async (changes: Specs) => {
      const request = reviewOf({ before, changes, referring: ["query/h"], kinds: ["query"] });
      return (await workerConductor.prepare(preparationOf(request), signal))[0]?.content;
    };
    expect(await of({ "stream/flights": object({ other: string }) })).toBe(await of({}));
  });
});

it("says which stream's lanes run a binding", async () => {
  const binding = { entity: "query/late@1" as EntityIdentity, content: (await content(late({}))) ?? "" };
  expect(await workerConductor.inputsOf?.(binding, () => Promise.resolve([]))).toEqual(["stream/flights"]);
});
