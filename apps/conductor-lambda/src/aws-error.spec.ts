import { describe, expect, it } from "vitest";
import { toRegionError } from "./aws-error.ts";
import type { OperationName } from "./operations.ts";

const thrown = (name: string, status?: number, more: object = {}): Error =>
  Object.assign(new Error("said so"), {
    name,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
    ...more,
  });
const kindOf = (error: unknown, operation: OperationName = "publishVersion") =>
  toRegionError(operation, error).kind;

describe("what the SDK throws", () => {
  it.each([
    ["ResourceConflictException", 409, "conflict"],
    ["PreconditionFailedException", 412, "precondition"],
    ["TooManyRequestsException", 429, "throttled"],
    ["Throttling", 400, "throttled"],
    ["ResourceNotFoundException", 404, "notFound"],
    ["NoSuchEntityException", 404, "notFound"],
    ["AccessDeniedException", 403, "denied"],
    ["UnrecognizedClientException", 403, "denied"],
    ["ServiceException", 500, "unavailable"],
    ["SomethingNew", 503, "unavailable"],
    ["SomethingNew", 409, "conflict"],
    ["SomethingNew", 412, "precondition"],
    ["SomethingNew", 429, "throttled"],
    ["InvalidParameterValueException", 400, "refused"],
    ["CodeStorageExceededException", 400, "refused"],
    ["RequestTooLargeException", 413, "refused"],
  ] as const)("%s with %i is %s", (name, status, kind) => {
    expect(kindOf(thrown(name, status))).toBe(kind);
  });

  it("without an answer leaves open what became of a write, and nothing of a read", () => {
    for (const error of [
      thrown("TimeoutError"),
      thrown("Error", undefined, { code: "ECONNRESET" }),
      thrown("SyntaxError", 200),
    ]) {
      expect(kindOf(error)).toBe("unknown");
      expect(kindOf(error, "getFunction")).toBe("unavailable");
    }
    expect(kindOf(thrown("Error", undefined, { code: "ECONNREFUSED" }))).toBe("unavailable");
    expect(kindOf(thrown("CredentialsProviderError"))).toBe("denied");
    // moto, asked for the account's settings.
    const page = thrown("SyntaxError", undefined, { $response: { statusCode: 404 } });
    expect(kindOf(page, "getAccount")).toBe("notFound");
  });

  it("keeps AWS's name and words, and what was thrown", () => {
    const error = thrown("InvalidParameterValueException", 400);
    expect(toRegionError("createFunction", error)).toMatchObject({
      code: "InvalidParameterValueException",
      message: "createFunction: InvalidParameterValueException: said so",
      cause: error,
    });
  });
});
