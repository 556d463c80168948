import { InvalidIdError } from "@greco/domain/model";
import { CompactedError, StoreLimitError } from "@greco/ports";
import { ErrorInfoSchema } from "@greco/contracts/google/rpc/error_details";
import { expect, it } from "vitest";
import { Fault, fault } from "./fault.ts";
import { codeOf, faultDetails, passOn, toFault } from "./fault-status.ts";

it("gives each kind of fault its own code, and exactly one ErrorInfo", () => {
  const all = [
    fault.invalid("A", "a", [{ field: "f", description: "d" }]),
    fault.notFound("A", "models/m", "a"),
    fault.exists("A", "models/m", "a"),
    fault.aborted("A", "a"),
    fault.precondition("A", "a", [{ type: "T", subject: "s", description: "d" }]),
    fault.denied("releaser", "a"),
    fault.unauthenticated("A", "a"),
    fault.exhausted("A", "a", 5),
    fault.unavailable("A", "a"),
    fault.outOfRange("A", "a"),
    fault.unimplemented("A", "a"),
    fault.deadline("A", "a"),
    fault.cancelled("A", "a"),
    fault.unknown("A", "a"),
    fault.internal(new Error("a")),
  ];
  expect(new Set(all.map(codeOf)).size).toBe(all.length);
  for (const each of all) {
    const infos = faultDetails(each).filter(({ desc }) => desc.typeName === ErrorInfoSchema.typeName);
    expect(infos).toHaveLength(1);
    expect(infos[0]?.value).toMatchObject({ reason: each.reason, domain: "greco.dev" });
  }
});

it("knows the errors of ids and stores, and takes the rest for unforeseen", () => {
  expect(toFault(new InvalidIdError("model id", "A.B"))).toMatchObject({
    kind: "invalid",
    reason: "INVALID_ID",
  });
  expect(toFault(new StoreLimitError("129 operations"))).toMatchObject({
    kind: "exhausted",
    retryAfterMs: undefined,
  });
  expect(toFault(new CompactedError(7))).toMatchObject({
    kind: "outOfRange",
    metadata: { compactRevision: "7" },
  });
  expect(toFault("thrown")).toMatchObject({ kind: "internal", cause: "thrown" });
});

it("tells an abort of the call by the signal's reason, and no other abort for one", () => {
  const controller = new AbortController();
  const abortError = new DOMException("aborted", "AbortError");
  expect(toFault(abortError, controller.signal)).toMatchObject({ kind: "internal" });
  controller.abort(fault.deadline("DEADLINE_EXCEEDED", "late"));
  expect(toFault(abortError, controller.signal)).toMatchObject({ kind: "deadline" });
  expect(toFault(new TypeError("a bug"), controller.signal)).toMatchObject({ kind: "internal" });
});

it("passes on what another service said, but not its refusal of our own token", () => {
  const wire = {
    code: "FAILED_PRECONDITION",
    reason: "STALE_BASE",
    message: "rebase first",
    violations: [],
    preconditions: [{ type: "HEAD", subject: "models/m", description: "moved" }],
    metadata: { head: "7" },
    retryAfterMs: undefined,
  };
  expect(passOn(wire)).toMatchObject({ kind: "precondition", reason: "STALE_BASE", metadata: { head: "7" } });
  for (const code of ["UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL", "NOBODY_KNOWS"])
    expect(passOn({ ...wire, code })).toMatchObject({
      kind: "internal",
      reason: "INTERNAL",
      cause: { code },
    });
  expect(passOn({ ...wire, code: "UNAVAILABLE", reason: "" })).toBeInstanceOf(Fault);
});
