/** What is wrong in a draft: findings of the registry, of the conductors and of `greco validate`. */
import type { Reasons } from "./reason.ts";

export const FINDING_REASONS = {
  UNKNOWN_KIND: {
    means: "the model has no kind of this name, so nobody knows what the entity may be",
    next: "correct the kind, or create it first: greco kind create ID -f FILE",
  },
  SPEC_INVALID: {
    means: "the entity breaks the schema of its kind at the field that is named",
    next: "greco explain KIND lists the fields and what they are",
  },
  SPEC_NOT_JSON: { means: "the spec is no JSON text", next: "correct it; the message says where it ends" },
  SPEC_NOT_AN_OBJECT: {
    means: "the spec is a list, a text or a number",
    next: "write it as an object with the kind's fields",
  },
  SPEC_TOO_LARGE: { means: "the spec is larger than an entity may be", next: "split the entity" },
  SPEC_TOO_DEEP: { means: "the spec is nested deeper than is allowed", next: "make it flatter" },
  NOT_UNICODE: {
    means: "a text holds half of a character (a lone surrogate), which cannot be stored as it is",
    next: "correct the text at the field that is named",
  },
  NUMBER_OUT_OF_RANGE: {
    means: "a number is too large for JSON's numbers, which are doubles",
    next: "write it as a text, or smaller",
  },
  NUMBER_ROUNDED: {
    means: "an integer has more digits than a double holds; it is stored rounded",
    next: "write it as a text if every digit counts",
  },
  RULE_BROKEN: {
    means: "the entity breaks a rule of its kind; the message is the rule's own",
    next: "change the entity; greco kind get KIND shows the rule",
  },
  RULE_FAILED: {
    means: "a rule of the kind has no value for this entity, as when it reads a field that is not there",
    next: "an admin corrects the rule, as with has(spec.field); or give the entity that field",
  },
  INVALID_REFERENCE: {
    means: "where the name of another entity belongs stands something that is no name",
    next: "write the bare name, as flights, without its kind",
  },
  UNKNOWN_REFERENCE: {
    means: "the entity refers to another one that does not exist, or that the same draft deletes",
    next: "create the other one in the same draft, or correct the name",
  },
  BUILT_IN_REFERENCE: {
    means: "the streams epochs and dead-letters belong to the data plane; entities cannot refer to them",
    next: "subscribe to them from a program: greco stream subscribe dead-letters",
  },
  TOO_MANY_REFERENCES: {
    means: "one entity refers to more others than is allowed",
    next: "split the entity",
  },
  DELETE_OF_REFERENCED: {
    means: "an entity is deleted that others still refer to",
    next: "delete or change those in the same draft; greco describe KIND/NAME lists them",
  },
  CYCLE: {
    means: "messages would run in a circle: a query writes to a stream from which, further down, it reads",
    next: "cut the circle at one of the queries that the message names",
  },
  NOT_A_SCHEMA: {
    means: "what stands there is no JSON Schema",
    next: 'write an object, as {"type": "object"}',
  },
  INVALID_SCHEMA: {
    means: "a keyword of the JSON Schema has a value that it cannot have",
    next: "see JSON Schema 2020-12 for that keyword",
  },
  UNKNOWN_KEYWORD: {
    means: "JSON Schema has no such keyword; it would check nothing and say nothing",
    next: "correct the spelling, or leave it out",
  },
  UNKNOWN_TYPE: {
    means: "JSON Schema has no such type",
    next: "use string, number, integer, boolean, object, array or null",
  },
  UNKNOWN_FORMAT: {
    means: "this format is not checked by anybody, so it would promise what nobody holds",
    next: "use one that the message names, or a pattern",
  },
  BAD_PATTERN: {
    means: "the pattern is not one that RE2 takes; others could hang a service on a bad message",
    next: "write it without look-around and back references (https://github.com/google/re2/wiki/Syntax)",
  },
  BAD_LIST_KEY: {
    means: "x-greco-list-key must name a field that every item of the list has",
    next: "name a required field that is a text or a number",
  },
  SCHEMA_TOO_LARGE: {
    means: "the schema has more keywords or patterns than is allowed",
    next: "split it, or leave parts of it open",
  },
  SCHEMA_TOO_DEEP: { means: "the schema is nested deeper than is allowed", next: "use $defs and $ref" },
  UNSUPPORTED_DIALECT: {
    means: "$schema names a dialect other than JSON Schema 2020-12",
    next: "write the schema for 2020-12, or leave $schema out",
  },
  NESTED_ID: { means: "$id stands inside the schema", next: "use $defs and $ref instead" },
  REMOTE_REFERENCE: {
    means: "$ref leads out of the schema; nothing is fetched from elsewhere",
    next: "copy what it refers to under $defs",
  },
  DANGLING_REFERENCE: { means: "$ref leads to no part of the schema", next: "define it under $defs" },
  EMPTY: { means: "the expression is empty", next: "write one, or leave the field out" },
  SYNTAX_ERROR: {
    means: "the expression, or the handler's source, cannot be parsed at the column that is named",
    next: "correct it there",
  },
  UNKNOWN_FIELD: {
    means: "a field is named that the schema does not have",
    next: "correct the name, or declare the field in the stream's or table's schema",
  },
  UNKNOWN_VARIABLE: {
    means: "an expression names a variable that does not exist",
    next: "write event.FIELD for the message's fields, tables.NAME[KEY] for a table's row",
  },
  UNKNOWN_FUNCTION: {
    means: "there is no function or method of this name",
    next: "see the functions of CEL: https://cel.dev",
  },
  TYPE_MISMATCH: {
    means: "two types do not go together, as a text compared with a number",
    next: "convert one of them: string(), double(), int()",
  },
  BAD_LITERAL: {
    means: "a text or a name in the expression is not one that is allowed, as a wrong time or pattern",
    next: "correct it at the column that is named",
  },
  TOO_COMPLEX: {
    means: "the expression is too long or nested too deep",
    next: "split it into several fields, or write a handler",
  },
  OUTPUT_FIELD_MISSING: {
    means: "the stream that the query writes to requires a field that select does not give",
    next: "add it to select, or make it optional in the stream",
  },
  OUTPUT_FIELD_UNKNOWN: {
    means: "select gives a field that the stream does not have, and the stream takes no others",
    next: "leave it out, or declare it in the stream's schema",
  },
  OUTPUT_TYPE: {
    means: "select gives a value of another type than the stream takes",
    next: "convert it, or change the stream in the same draft",
  },
  OUTPUT_REFUSED: { means: "the schema of the stream takes no message at all", next: "correct that schema" },
  NO_HANDLE: {
    means: "the handler's module exports no function of the name handle",
    next: "export function handle(event, context) { return [{ … }]; }",
  },
  IMPORT_UNKNOWN: {
    means: "the handler imports a module that its worker cannot find",
    next: "import modules of Node only (node:…), and put the rest into the source",
  },
  LANES_OUT_OF_RANGE: { means: "the number of lanes is not one that is allowed", next: "take 1 to 64" },
  RETENTION_OUT_OF_RANGE: {
    means: "the retention is no time, or longer than ten years",
    next: "write it as 7d, 36h, 30m or 45s; without it messages are kept for ever",
  },
  KEY_NOT_TEXT: {
    means: "the key is of a type that cannot be a key",
    next: "take a field that is a text (for a stream: or a number)",
  },
  KEY_MISSING: { means: "a row of the table lacks its key", next: "give it one" },
  KEY_REPEATED: { means: "two rows of the table have the same key", next: "keep one of them" },
  ROW_INVALID: { means: "a row breaks the table's schema", next: "correct the row, or the schema" },
  TABLE_TOO_LARGE: {
    means: "the table is larger than 1 MiB as JSON",
    next: "keep only what queries look up, or split it",
  },
  STORED_MESSAGES_BREAK: {
    means: "messages that are stored and still retained would break the changed schema of their stream",
    next: "allow what is stored, publish to a new stream, or set compatibility: unchecked",
  },
  TOO_MANY_STORED: {
    means: "the stream holds more messages than are checked against a changed schema",
    next: "set compatibility: unchecked if the change only allows more, or publish to a new stream",
  },
  CLAIMED_BY_NONE: {
    means: "no conductor makes the entity its own, so nothing would put it into effect",
    next: "correct its runtime field, or start a conductor for it (greco conductor list)",
  },
  CLAIMED_BY_SEVERAL: {
    means: "two conductors make the entity their own, and both would put it into effect",
    next: "change it so that one of them takes it, or deregister the other",
  },
  ANSWER_TOO_LARGE: {
    means: "the change touches so much that a conductor's answer to it does not fit into one message",
    next: "make it so in several smaller drafts",
  },
  PREPARE_FAILED: {
    means: "the conductor accepted the change but could not prepare it",
    next: "try again; if it fails again, its log says why",
  },
} as const satisfies Reasons;
