import { candidateId, modelId, type EntityIdentity } from "@greco/domain/model";
import { seededRandom } from "@greco/simulation";
import { describe, expect, it } from "vitest";
import {
  descriptionOf,
  functionName,
  functionObject,
  ownerOf,
  parseObject,
  parseQualifiedArn,
  tagsMatch,
  tagsOf,
  versionObject,
  type Owner,
} from "./function-name.ts";
import { AWS_LIMITS, PREFIX_LENGTH_MAX } from "./limits.ts";

const owner = (entity: string, model = "m", prefix = "greco"): Owner => ({
  prefix,
  model: modelId(model),
  entity: entity as EntityIdentity,
});

describe("a function's name", () => {
  it("is readable, and carries the identity", () => {
    expect(functionName(owner("query/late@7"))).toMatch(/^greco-m-late-7-[0-9a-f]{10}$/);
    expect(functionName(owner("query/late@8"))).not.toBe(functionName(owner("query/late@7")));
  });

  it("N1: fits AWS whatever the names are, and no two identities share one", () => {
    const seed = 17;
    const random = seededRandom(seed);
    const letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
    const word = (max: number): string =>
      Array.from({ length: 1 + random.integer(max) }, () => letters[random.integer(letters.length)]).join("");
    const owners = new Map<string, string>();
    for (let each = 0; each < 2_000; each++) {
      const prefix = `p${word(PREFIX_LENGTH_MAX - 1)}`;
      const one = owner(`query/${word(63)}@${random.integer(1e9)}`, word(63), prefix);
      const name = functionName(one);
      expect(name.length, `seed ${seed}`).toBeLessThanOrEqual(AWS_LIMITS.nameLengthMax);
      expect(name).toMatch(/^[a-zA-Z0-9-_]+$/);
      expect(name.startsWith(`${prefix}-`)).toBe(true);
      const identity = JSON.stringify(one);
      expect(owners.get(name) ?? identity, `seed ${seed}`).toBe(identity);
      owners.set(name, identity);
    }
  });

  it("keeps two apart whose readable parts read the same", () => {
    expect(functionName(owner("query/c@1", "a-b"))).not.toBe(functionName(owner("query/b-c@1", "a")));
  });

  it("is ours by its tags alone, and only where they fit the name", () => {
    const one = owner("query/late@7");
    const name = functionName(one);
    expect(ownerOf(name, { ...tagsOf(one), team: "x" }, one)).toEqual(one);
    expect(tagsMatch(one, { ...tagsOf(one), team: "x" })).toBe(true);
    expect(ownerOf(name, {}, one)).toBeUndefined();
    expect(ownerOf(name, tagsOf(owner("query/late@8")), one)).toBeUndefined();
    expect(ownerOf(name, tagsOf(owner("query/late@7", "other")), one)).toBeUndefined();
    expect(ownerOf(name, { ...tagsOf(one), "greco:entity": "nonsense" }, one)).toBeUndefined();
  });
});

it("describes a version within AWS's limit, whatever the names are", () => {
  const long = "x".repeat(63);
  const about = owner(`query/${long}@999999999999999`, long);
  const description = descriptionOf(about, candidateId(long), "0123456789abcdef");
  expect(description.length).toBeLessThanOrEqual(AWS_LIMITS.descriptionLengthMax);
  expect(descriptionOf(owner("query/late@7"), candidateId("c1"), "0123456789abcdef")).toBe(
    "greco m late@7 c1 content=0123456789abcdef",
  );
});

it("reads its objects back, and refuses what is none of them", () => {
  expect(parseObject(functionObject("greco-m-late-7-0123456789"))).toEqual({
    type: "function",
    name: "greco-m-late-7-0123456789",
  });
  expect(parseObject(versionObject("f", "0123456789abcdef"))).toEqual({
    type: "version",
    name: "f",
    contentHash: "0123456789abcdef",
  });
  for (const wrong of ["", "function/", "version/f", "version/f#short", "binding/query/late@1#c1"])
    expect(() => parseObject(wrong)).toThrow();
});

it("reads the ARN of a numbered version, and of nothing else", () => {
  const arn = "arn:aws:lambda:eu-west-1:123456789012:function:greco-m-late-7-0123456789";
  expect(parseQualifiedArn(`${arn}:12`)).toEqual({ name: "greco-m-late-7-0123456789", version: "12" });
  expect(parseQualifiedArn(arn)).toBeUndefined();
  expect(parseQualifiedArn(`${arn}:live`)).toBeUndefined();
  expect(parseQualifiedArn(`${arn}:$LATEST`)).toBeUndefined();
});
