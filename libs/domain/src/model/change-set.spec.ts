import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeChange, digestOf, encodeChange, type Change } from "./change-set.ts";
import { canonicalJson, type JsonValue } from "./json.ts";
import { OrderedMap } from "./ordered-map.ts";

const key = fc.stringMatching(/^[a-z]{1,6}\/[a-z0-9-]{1,6}$/);
const change = fc.oneof(
  fc.constant<Change>({ action: "delete" }),
  fc.dictionary(fc.string(), fc.jsonValue()).map((spec): Change => ({
    action: "put",
    specJson: canonicalJson(JSON.parse(JSON.stringify(spec)) as JsonValue),
  })),
);

it("has one digest, in whatever order the changes were made", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(key, change), { selector: ([name]) => name }),
      fc.nat(),
      (lines, turn) => {
        const at = lines.length === 0 ? 0 : turn % lines.length;
        const other = [...lines.slice(at), ...lines.slice(0, at)].toReversed();
        expect(digestOf(OrderedMap.of(other))).toBe(digestOf(OrderedMap.of(lines)));
      },
    ),
  );
});

it("writes each change as one line that reads back the same", () => {
  fc.assert(
    fc.property(key, change, (name, value) => {
      const line = encodeChange(name, value);
      expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(decodeChange(line.slice(0, -1))).toEqual([name, value]);
    }),
  );
});

it("tells a put from a delete, and one spec from another", () => {
  const digest = (value: Change): string => digestOf(OrderedMap.of([["table/bands", value]]));
  const digests = [
    digest({ action: "delete" }),
    digest({ action: "put", specJson: "{}" }),
    digest({ action: "put", specJson: '{"a":1}' }),
  ];
  expect(new Set(digests).size).toBe(3);
});

it("gives the empty change set the digest of nothing", () => {
  expect(digestOf(OrderedMap.empty())).toBe(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});
