/** The kinds that every model has from its first moment, as data. Their owners are Greco's own conductors. */
import { kindId } from "./ids.ts";
import type { Kind } from "./kind.ts";

const NAME = { type: "string", pattern: "^[a-z0-9-]{1,63}$" } as const;
const SUBJECTS = { type: "array", items: NAME, maxItems: 1000 } as const;

const stream: Kind = {
  id: kindId("stream"),
  displayName: "Stream",
  schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Stream",
    description: "A set of lanes, each a gapless sequence of messages.",
    type: "object",
    required: ["schema"],
    additionalProperties: false,
    properties: {
      schema: { type: ["object", "boolean"], description: "JSON Schema of the payload." },
      key: {
        type: "string",
        minLength: 1,
        maxLength: 200,
        description:
          "Top-level payload field whose value is the message's key; default: the publisher's key.",
      },
      lanes: {
        type: "integer",
        minimum: 1,
        maximum: 64,
        description: "Lanes that each ingress opens; default 4.",
      },
      retention: {
        type: "string",
        pattern: "^[1-9][0-9]{0,5}[smhd]$",
        description: "How long messages are kept, as 7d, 36h, 30m or 45s; default: for ever.",
      },
      access: {
        type: "object",
        additionalProperties: false,
        description: "Subjects that may publish and subscribe; default: every authenticated one.",
        properties: { publish: SUBJECTS, subscribe: SUBJECTS },
      },
      compatibility: {
        enum: ["checked", "unchecked"],
        description: "checked (default): a schema that stored messages within retention break is vetoed.",
      },
    },
  },
  rules: [
    {
      id: "not-built-in",
      expression: 'name != "epochs" && name != "dead-letters"',
      message: "the streams epochs and dead-letters are built in: choose another name",
    },
  ],
  references: [],
  stream: true,
  unclaimedAllowed: false,
  builtIn: true,
};

const table: Kind = {
  id: kindId("table"),
  displayName: "Table",
  schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Table",
    description: "Reference data that queries look up by key; at most 1 MiB.",
    type: "object",
    required: ["key", "schema", "rows"],
    additionalProperties: false,
    properties: {
      key: { type: "string", minLength: 1, maxLength: 200, description: "Field of a row that is its key." },
      schema: { type: ["object", "boolean"], description: "JSON Schema of a row." },
      rows: { type: "array", items: { type: "object" }, description: "All rows; one value for merges." },
    },
  },
  rules: [],
  references: [],
  stream: false,
  unclaimedAllowed: false,
  builtIn: true,
};

const query: Kind = {
  id: kindId("query"),
  displayName: "Query",
  schema: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Query",
    description: "Makes messages of one stream out of each message of another.",
    type: "object",
    required: ["from", "to"],
    additionalProperties: false,
    properties: {
      from: { ...NAME, description: "Stream that it reads." },
      to: { ...NAME, description: "Stream that it writes." },
      tables: {
        type: "array",
        items: NAME,
        uniqueItems: true,
        maxItems: 32,
        description: "Tables that it looks up.",
      },
      where: {
        type: "string",
        minLength: 1,
        maxLength: 4096,
        description: "CEL → bool: which messages; default: all.",
      },
      select: {
        type: "object",
        maxProperties: 500,
        additionalProperties: { type: "string", minLength: 1, maxLength: 4096 },
        description: "Output field → CEL.",
      },
      handler: {
        type: "string",
        minLength: 1,
        maxLength: 262144,
        description: "Source of an ES module that exports handle(event, context).",
      },
      onError: {
        type: "object",
        additionalProperties: false,
        properties: {
          retries: { type: "integer", minimum: 0, maximum: 10 },
          then: { enum: ["dead-letter", "skip"] },
        },
        description: "What becomes of a message that fails.",
      },
      runtime: { ...NAME, description: "Who runs it; default: worker." },
      timeoutMs: { type: "integer", minimum: 10, maximum: 60000, description: "For one message." },
      lambda: {
        type: "object",
        additionalProperties: false,
        description: "Of a query with runtime lambda; what AWS allows is checked by its conductor.",
        properties: {
          memoryMb: { type: "integer", minimum: 1, description: "Default 256." },
          timeoutSeconds: { type: "integer", minimum: 1, description: "Of one call; default 30." },
          environment: {
            type: "object",
            additionalProperties: { type: "string" },
            description: "Variables. No secrets: a model is read by many.",
          },
          role: { type: "string", minLength: 1, description: "ARN; default: the conductor's." },
          architecture: { enum: ["x86_64", "arm64"], description: "Default x86_64." },
          reservedConcurrency: { type: "integer", minimum: 1, description: "Calls at once, of all callers." },
          provisionedConcurrency: { type: "integer", minimum: 1, description: "Kept warm; default none." },
          concurrency: {
            type: "integer",
            minimum: 1,
            maximum: 1000,
            description: "Calls that one runtime has under way; default 10.",
          },
          batch: {
            type: "integer",
            minimum: 1,
            maximum: 256,
            description: "Messages of a call; default 100.",
          },
        },
      },
    },
  },
  rules: [
    {
      id: "lambda-with-its-runtime",
      expression: 'has(spec.lambda) ? has(spec.runtime) && spec.runtime == "lambda" : true',
      message: "lambda goes with runtime: lambda",
    },
    {
      id: "select-or-handler",
      expression: "has(spec.select) != has(spec.handler)",
      message: "a query has either select or handler",
    },
    {
      id: "where-with-select",
      expression: "!(has(spec.where) && has(spec.handler))",
      message: "where goes with select; a handler decides by itself",
    },
  ],
  references: [
    { path: "from", kind: kindId("stream"), flow: "reads" },
    { path: "to", kind: kindId("stream"), flow: "writes" },
    { path: "tables[]", kind: kindId("table"), flow: "uses" },
  ],
  stream: false,
  unclaimedAllowed: false,
  builtIn: true,
};

export const BUILT_IN_KINDS: readonly Kind[] = [stream, table, query];
