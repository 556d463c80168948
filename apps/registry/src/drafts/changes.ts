/** The changes of a call → lines of an edit, or an error that names every one that cannot be (I15). */
import type { Change as ChangeMessage } from "@greco/contracts/greco/model/v1/model";
import { finding, kindOf, parseSpec, type EntityKey, type Finding, type Kinds } from "@greco/domain/model";
import { Fault, fault, nearest, type FieldViolation } from "@greco/service-kit";

import { entityOf } from "../names.ts";
import type { DraftContent, EditLine } from "./content.ts";

type Problem = { readonly reason: string } & FieldViolation;

export type ParsedEdit = {
  readonly lines: readonly EditLine[];
  /** Oddities of the texts, which nobody sees once they are canonical. */
  readonly notes: readonly Finding[];
};

const PROBLEMS_MAX = 50;

/** Kinds that the changes name, as far as they can be read. */
export function kindsNamed(changes: readonly ChangeMessage[]): ReadonlySet<string> {
  const kinds = new Set<string>();
  for (const { entity } of changes) {
    const kind = /^models\/[a-z0-9-]{1,63}\/entities\/([a-z0-9-]{1,63})\//.exec(entity)?.[1];
    if (kind !== undefined) kinds.add(kind);
  }
  return kinds;
}

export function parseEdit(
  model: string,
  changes: readonly ChangeMessage[],
  content: DraftContent,
  kinds: Kinds,
): ParsedEdit {
  const lines: EditLine[] = [];
  const notes: Finding[] = [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const [index, change] of changes.entries()) {
    if (problems.length === PROBLEMS_MAX) break;
    const parsed = parseChange({ model, change, field: `changes[${index}]`, content, kinds, seen, notes });
    if ("reason" in parsed) problems.push(parsed);
    else lines.push(parsed.line);
  }
  const first = problems[0];
  if (first === undefined) return { lines, notes };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  throw fault.invalid(
    first.reason,
    `${first.field}: ${first.description}${more}`,
    problems.map(({ field, description }) => ({ field, description })),
  );
}

type Parsing = {
  readonly model: string;
  readonly change: ChangeMessage;
  readonly field: string;
  readonly content: DraftContent;
  readonly kinds: Kinds;
  readonly seen: Set<string>;
  readonly notes: Finding[];
};

function parseChange(parsing: Parsing): { readonly line: EditLine } | Problem {
  const { change, field, content, seen } = parsing;
  const key = keyOf(parsing);
  if (typeof key !== "string") return key;
  const problem = (reason: string, at: string, description: string): Problem => ({
    reason,
    field: `${field}.${at}`,
    description,
  });
  if (seen.has(key))
    return problem("ENTITY_TWICE", "entity", `${key} stands twice in this call: send its last state`);
  seen.add(key);
  const { action } = change;
  switch (action.case) {
    case "putSpecJson":
      return parsePut(parsing, key, action.value);
    case "delete":
      if (!action.value) return problem("INVALID_FIELD", "delete", "must be true");
      if (!content.state.entities.has(key) && !content.base.entities.has(key))
        return problem(
          "ENTITY_NOT_FOUND",
          "entity",
          `${key} is deleted but exists neither in the draft nor in its base`,
        );
      return { line: [key, { action: "delete" }] };
    case "revert":
      if (!action.value) return problem("INVALID_FIELD", "revert", "must be true");
      return { line: [key, { action: "revert" }] };
    case undefined:
      return problem("INVALID_FIELD", "action", "is required: put_spec_json, delete or revert");
  }
}

function keyOf({ model, change, field }: Parsing): EntityKey | Problem {
  try {
    return entityOf(model, change.entity, `${field}.entity`);
  } catch (error) {
    const violation = error instanceof Fault ? error.violations[0] : undefined;
    if (!(error instanceof Fault) || violation === undefined) throw error;
    return { reason: error.reason, ...violation };
  }
}

function parsePut(
  { field, kinds, notes }: Parsing,
  key: EntityKey,
  text: string,
): { readonly line: EditLine } | Problem {
  const kind = kindOf(key);
  if (!kinds.has(kind)) {
    const near = nearest(kind, kinds.keys());
    const hint = near === undefined ? "see ListKinds" : `did you mean ${near}?`;
    return {
      reason: "UNKNOWN_KIND",
      field: `${field}.entity`,
      description: `there is no kind ${kind} in this model: ${hint}`,
    };
  }
  const parsed = parseSpec(text);
  if (!parsed.ok)
    return {
      reason: parsed.reason,
      field: `${field}.put_spec_json`,
      description: `${key}: ${parsed.message}`,
    };
  for (const { reason, path, message, remedy } of parsed.notes)
    notes.push(finding(key, reason, message, remedy, { severity: "warning", fieldPath: path }));
  return { line: [key, { action: "put", specJson: parsed.specJson }] };
}
