/** Why a function cannot be made ready, told once, with what to do about it. */
import type { Finding } from "@greco/conductor-kit";
import type { EntityKey } from "@greco/domain/model";
import type { RegionError } from "./region.ts";

export class FunctionError extends Error {
  override name = "FunctionError";
  readonly reason: string;
  constructor(reason: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

type Advice = { readonly fieldPath: string; readonly remedy: string };

const ADVICE: Readonly<Record<string, Advice>> = {
  FOREIGN_FUNCTION: {
    fieldPath: "",
    remedy: "delete that function, or give this conductor a function-prefix of its own",
  },
  FUNCTION_FAILED: { fieldPath: "lambda", remedy: "correct what AWS names, and propose it again" },
  PROVISIONING_FAILED: {
    fieldPath: "lambda.provisionedConcurrency",
    remedy: "ask for less, or have the account's concurrency raised",
  },
  EDITED_BY_OTHERS: {
    fieldPath: "",
    remedy: "find in CloudTrail who edits the function, stop that, and propose it again",
  },
  ROLE_NOT_ASSUMABLE: {
    fieldPath: "lambda.role",
    remedy: "let the role's trust policy name lambda.amazonaws.com; a new role takes some seconds",
  },
  ACCESS_DENIED: {
    fieldPath: "",
    remedy: "give the conductor what deploy/aws/policy.json lists; greco doctor aws tells what it lacks",
  },
  CODE_STORAGE_FULL: {
    fieldPath: "",
    remedy: "delete versions that nobody needs, or have the account's code storage raised",
  },
  REFUSED_BY_AWS: { fieldPath: "lambda", remedy: "correct what AWS names, and propose it again" },
  NOT_READY_IN_TIME: {
    fieldPath: "",
    remedy: "propose it again: what was made is found; if AWS stays slow, see the conductor's log",
  },
};

/** What AWS says no to, for good. */
export function refusalOf(error: RegionError): FunctionError {
  const { kind, code, message } = error;
  if (kind === "denied") return new FunctionError("ACCESS_DENIED", message, error);
  if (code === "CodeStorageExceededException") return new FunctionError("CODE_STORAGE_FULL", message, error);
  if (isRoleTrouble(error)) return new FunctionError("ROLE_NOT_ASSUMABLE", message, error);
  return new FunctionError("REFUSED_BY_AWS", message, error);
}

/** "The role defined for the function cannot be assumed by Lambda.": also of a role that was made a moment ago. */
export const isRoleTrouble = ({ code, message }: RegionError): boolean =>
  code === "InvalidParameterValueException" && /role .*assume/i.test(message);

export function findingOf(entity: EntityKey, name: string, error: FunctionError): Finding {
  const { reason, message } = error;
  const { fieldPath, remedy } = ADVICE[reason] ?? { fieldPath: "", remedy: "see the conductor's log" };
  return { severity: "error", entity, fieldPath, reason, message: `function ${name}: ${message}`, remedy };
}
