import { candidateId, entityIdentity, entityKey } from "@greco/domain/model";
import { expect, it } from "vitest";
import type { FunctionState } from "./aws.ts";
import type { InForce } from "./query.ts";
import { standingProblems } from "./standing.ts";

const now: InForce = {
  candidate: candidateId("c1"),
  entity: entityIdentity(entityKey("query", "late"), 2),
  functionName: "f",
  version: "2",
  codeSha256: "two",
  state: { factor: 3, memoryMb: 256, reserved: 2, provisioned: 1 },
};
const right: FunctionState = {
  tags: { "greco:entity": "query/late@2" },
  reserved: 2,
  versions: [{ version: "2", codeSha256: "two", content: "b" }],
  aliases: { live: "2" },
  picture: "",
};
const old = { version: "1", codeSha256: "one", content: "a" };

it("finds nothing where the version stands alone, as the epoch says it", () => {
  expect(standingProblems(now, right)).toEqual([]);
});

it.each([
  ["there is no function", undefined, /no such function/],
  ["the version is gone", { ...right, versions: [] }, /has code undefined/],
  ["it has other code", { ...right, versions: [{ ...old, version: "2" }] }, /has code one/],
  ["a former version is left", { ...right, versions: [old, ...right.versions] }, /there is 1/],
  [
    "a content was published twice",
    { ...right, versions: [...right.versions, { version: "3", codeSha256: "two", content: "b" }] },
    /one content/,
  ],
  ["the alias is behind", { ...right, aliases: { live: "1" } }, /alias live is at 1/],
  ["what an aborted candidate raised is still reserved", { ...right, reserved: 3 }, /3 are reserved/],
  ["it is somebody else's", { ...right, tags: {} }, /its tags/],
] as const)("tells that %s", (_title, found, problem) => {
  expect(standingProblems(now, found).join("\n")).toMatch(problem);
});
