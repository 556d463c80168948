import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LaneStatusSchema } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { DifferenceSchema, EntitySchema, VersionSchema } from "@greco/contracts/greco/model/v1/model";
import { expect, it } from "vitest";
import { plain } from "./plain.ts";

it("writes 64-bit integers as numbers where they are exact, and as texts where they are not", () => {
  const lane = create(LaneStatusSchema, {
    lane: "42",
    tailSeq: 7n,
    epoch: 9_007_199_254_740_993n,
    markers: [{ epoch: 2n, seq: 5n }],
  });
  expect(plain(LaneStatusSchema, lane)).toMatchObject({
    lane: "42",
    tailSeq: 7,
    epoch: "9007199254740993",
    markers: [{ epoch: 2, seq: 5 }],
    readers: [],
  });
});

it("writes JSON texts as the JSON that they are", () => {
  const entity = create(EntitySchema, { name: "models/m/entities/query/q", specJson: '{"n":"12"}' });
  expect(plain(EntitySchema, entity)).toMatchObject({ spec: { n: "12" } });
  const created = create(DifferenceSchema, { entity: "e", kind: 1, afterSpecJson: "{}" });
  expect(plain(DifferenceSchema, created)).toEqual({ entity: "e", kind: "KIND_CREATE", afterSpec: {} });
  expect(plain(EntitySchema, create(EntitySchema, { specJson: "{" }))).toMatchObject({ spec: "{" });
});

it("leaves times as they are", () => {
  const version = create(VersionSchema, { number: 3n, commitTime: timestampFromMs(1_500) });
  expect(plain(VersionSchema, version)).toMatchObject({ number: 3, commitTime: "1970-01-01T00:00:01.500Z" });
});
