import { expect, it } from "vitest";
import type { LambdaOperation } from "../../../../../tools/lambda-faults/operation.ts";
import { Steps } from "./steps.ts";

const call = (operation: LambdaOperation, qualifier?: string) => ({ operation, qualifier });

it("names each call by its kind, its number and the write before it, and tells polls", () => {
  const steps = new Steps();
  const taken = [
    call("GetFunction"),
    call("GetFunction"),
    call("UpdateFunctionCode"),
    call("GetFunction"),
    call("GetFunction"),
    call("PublishVersion"),
    call("GetFunction", "7"),
    call("DeleteFunction", "6"),
    call("GetAlias", "live"),
    call("DeleteFunction", "5"),
  ].map((each) => steps.take(each));
  expect(taken.map(({ name, polls }) => (polls ? `(${name})` : name))).toEqual([
    "GetFunction",
    "GetFunction, 2",
    "UpdateFunctionCode",
    "GetFunction, after UpdateFunctionCode",
    "(GetFunction, after UpdateFunctionCode, 2)",
    "PublishVersion",
    "GetFunction of a version, after PublishVersion",
    "DeleteFunction of a version",
    "GetAlias, after DeleteFunction of a version",
    "DeleteFunction of a version, 2",
  ]);
});

it("says the same of a call before it is counted, however often it is asked", () => {
  const steps = new Steps();
  steps.take(call("CreateFunction"));
  expect(steps.of(call("GetFunction")).name).toBe("GetFunction, after CreateFunction");
  expect(steps.of(call("GetFunction"))).toEqual(steps.take(call("GetFunction")));
});
