/**
 * The rules that stand in the contract (`buf.validate`), kept at every server (I15). Rules of a message are
 * compiled when it is first seen and kept: 1–5 µs a call then, 0.4 µs for each message of a batch, where a call by
 * grpc-js takes 70 µs and more.
 */
import { createRegistry, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { fault, type FieldViolation } from "./fault.ts";

export type CheckRequest = (schema: DescMessage, request: Message) => void;

/** Throws INVALID_ARGUMENT with a path and a description for each broken rule. */
export function createRequestCheck(): CheckRequest {
  const validator = createValidator({ registry: createRegistry(), regexMatch: matcher() });
  return (schema, request) => {
    const result = validator.validate(schema, request);
    if (result.kind === "valid") return;
    // A rule that does not compile or run is our mistake, not the caller's.
    if (result.kind === "error") throw result.error;
    const violations = result.violations.map(toFieldViolation);
    const first = violations[0];
    const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
    throw fault.invalid(
      "INVALID_FIELD",
      `${schema.name}.${first?.field ?? ""}: ${first?.description ?? "breaks a rule"}${more}`,
      violations,
    );
  };
}

/**
 * By the engine's own regular expressions: the default, RE2 in JavaScript, took a twentieth of a call. They backtrack, so
 * patterns of the contract are such that there is nothing to come back to: the spec holds them to that.
 */
function matcher(): (pattern: string, against: string) => boolean {
  const compiled = new Map<string, RegExp>();
  return (pattern, against) => {
    let expression = compiled.get(pattern);
    if (expression === undefined) compiled.set(pattern, (expression = new RegExp(pattern, "u")));
    return expression.test(against);
  };
}

function toFieldViolation(violation: Violation): FieldViolation {
  const described = violation.message === "" ? violation.ruleId : violation.message;
  return { field: pathToString(violation.field), description: described };
}
