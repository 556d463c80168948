import { expect, it } from "vitest";
import { nameOf } from "./operation.ts";

const named = (method: string, path: string, body?: object): string => {
  const { operation, functionName, qualifier } = nameOf({ method, path, body });
  return [operation, functionName, qualifier ?? "-"].join(" ");
};

it.each([
  ["GET", "/2015-03-31/functions", "ListFunctions  -"],
  ["GET", "/2015-03-31/functions/?Marker=x", "ListFunctions  -"],
  ["GET", "/2015-03-31/functions/f?Qualifier=7", "GetFunction f 7"],
  ["GET", "/2015-03-31/functions/f%3A7/configuration", "GetFunctionConfiguration f 7"],
  ["DELETE", "/2015-03-31/functions/f?Qualifier=7", "DeleteFunction f 7"],
  ["DELETE", "/2015-03-31/functions/f", "DeleteFunction f -"],
  ["POST", "/2015-03-31/functions/f/versions", "PublishVersion f -"],
  ["PUT", "/2015-03-31/functions/f/aliases/live", "UpdateAlias f -"],
  ["PUT", "/2017-10-31/functions/f/concurrency", "PutFunctionConcurrency f -"],
  ["GET", "/2019-09-30/functions/f/concurrency", "GetFunctionConcurrency f -"],
  [
    "PUT",
    "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=7",
    "PutProvisionedConcurrencyConfig f 7",
  ],
  [
    "GET",
    "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
    "ListProvisionedConcurrencyConfigs f -",
  ],
  ["GET", "/2016-08-19/account-settings", "GetAccountSettings  -"],
  ["GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Ae%3A1%3Afunction%3Af", "ListTags f -"],
  ["POST", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ae%3A1%3Afunction%3Af%3A7/invocations", "Invoke f 7"],
  ["PATCH", "/2015-03-31/functions/f", "Unknown f -"],
])("names %s %s", (method, path, expected) => {
  expect(named(method, path)).toBe(expected);
});

it("names a created function by its body, and IAM's calls by their form", () => {
  expect(named("POST", "/2015-03-31/functions", { FunctionName: "f" })).toBe("CreateFunction f -");
  expect(named("POST", "/", { Action: "GetRole", RoleName: "r" })).toBe("GetRole  -");
  expect(named("POST", "/", { Action: "ListUsers" })).toBe("Unknown  -");
});
