import { EntityFileError } from "@greco/entity-files";
import { GrecoError, type GrecoErrorParts } from "@greco/sdk";
import { expect, it } from "vitest";
import { CliError, describeError } from "./cli-error.ts";

const error = (parts: Partial<GrecoErrorParts>): GrecoError =>
  new GrecoError({
    code: "INTERNAL",
    reason: "",
    message: "it failed",
    violations: [],
    preconditions: [],
    metadata: {},
    retryAfterMs: undefined,
    ...parts,
  });

it("says what is wrong, its reason, and what to do next", () => {
  expect(
    describeError(error({ code: "NOT_FOUND", reason: "DRAFT_NOT_FOUND", message: "no draft x" })),
  ).toEqual(["error: no draft x [DRAFT_NOT_FOUND]", "next:  greco draft list"]);
  expect(describeError(new CliError("which model?", "give --model"))).toEqual([
    "error: which model?",
    "next:  give --model",
  ]);
  expect(describeError(error({ code: "UNAVAILABLE" })).at(-1)).toContain("greco doctor");
});

it("lists what is wrong field by field, unless the message has said it", () => {
  const one = { field: "model_id", description: "must match" };
  expect(describeError(error({ message: "model_id: must match", violations: [one] }))).toEqual([
    "error: model_id: must match",
  ]);
  expect(
    describeError(
      error({
        violations: [one],
        preconditions: [{ type: "T", subject: "models/m/drafts/d", description: "is stale" }],
      }),
    ),
  ).toEqual(["error: it failed", "  model_id: must match", "  draft d: is stale"]);
});

it("lists all that is wrong in entity files, a line each", () => {
  expect(describeError(new EntityFileError(["a.yaml: one", "b.yaml: two"], { next: "correct it" }))).toEqual([
    "error: 2 things are wrong in the files:",
    "  a.yaml: one",
    "  b.yaml: two",
    "next:  correct it",
  ]);
});

it("takes anything that was thrown", () => {
  expect(describeError("text")).toEqual(["error: text"]);
  expect(describeError(new Error("\u001b[2Jgone"))).toEqual(["error: �[2Jgone"]);
});
