import { create, getOption, hasOption, type DescField, type DescFile } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { field as rulesOf, type FieldRules } from "@greco/contracts/buf/validate/validate";
import { file_greco_commit_v1_commit } from "@greco/contracts/greco/commit/v1/commit";
import { file_greco_conductor_v1_cold_boot } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { file_greco_conductor_v1_conductor } from "@greco/contracts/greco/conductor/v1/conductor";
import { file_greco_dataplane_v1_dataplane } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { file_greco_model_v1_model } from "@greco/contracts/greco/model/v1/model";
import {
  file_greco_registry_v1_registry,
  GetModelRequestSchema,
} from "@greco/contracts/greco/registry/v1/registry";
import { expect, it } from "vitest";
import { createRequestCheck } from "./check-request.ts";
import { Fault } from "./fault.ts";

const contract: readonly DescFile[] = [
  ...[file_greco_commit_v1_commit, file_greco_registry_v1_registry, file_greco_model_v1_model],
  ...[file_greco_conductor_v1_conductor, file_greco_conductor_v1_cold_boot],
  file_greco_dataplane_v1_dataplane,
];

function fieldsOf(file: DescFile): DescField[] {
  return [...nestedTypes(file)].flatMap((type) => (type.kind === "message" ? type.fields : []));
}

const printable = (value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

/** Of strings, in lists and maps too. */
function patternsIn({ type }: FieldRules): string[] {
  switch (type.case) {
    case "string":
      return type.value.pattern === "" ? [] : [type.value.pattern];
    case "bytes":
      return type.value.pattern === "" ? [] : [type.value.pattern];
    case "repeated":
      return type.value.items === undefined ? [] : patternsIn(type.value.items);
    case "map":
      return [type.value.keys, type.value.values].flatMap((rules) =>
        rules === undefined ? [] : patternsIn(rules),
      );
    default:
      return [];
  }
}

it("I15: no pattern of the contract can backtrack: each is literals and bounded classes, one behind the other", () => {
  const patterns = contract
    .flatMap(fieldsOf)
    .filter((field) => hasOption(field, rulesOf))
    .flatMap((field) => patternsIn(getOption(field, rulesOf)));
  expect(patterns.length).toBeGreaterThan(30);
  // Behind a class stands what it cannot take, or the end: else each of its lengths would be tried.
  const name = String.raw`\[a-z0-9-\]\{[01],\d\d\}`;
  const number = String.raw`\[0-9\]\{1,\d\d\}`;
  const safe = new RegExp(
    String.raw`^\^(?:[a-zA-Z]+/)?(?:${name}|${number})(?:[/@](?:[a-zA-Z]+/)?(?:${name}|${number}))*\$$`,
  );
  for (const pattern of new Set(patterns)) expect(pattern).toMatch(safe);
  // Nor may one come by another way.
  const texts = contract.map(({ proto }) => JSON.stringify(proto, (_, value: unknown) => printable(value)));
  for (const text of texts) expect(text).not.toContain("matches(");
  for (const bad of ["^[a-z0-9-]{1,63}drafts/$", "^[a-z0-9-]{1,63}[a-z0-9-]{1,63}$", "^(a+)+$", "^a*$"])
    expect(bad).not.toMatch(safe);
});

it("I15: refuses what breaks a rule, with its path, and a pattern is of the whole", () => {
  const check = createRequestCheck();
  const faultOf = (name: string): unknown => {
    try {
      check(GetModelRequestSchema, create(GetModelRequestSchema, { name }));
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(faultOf("models/flights")).toBeUndefined();
  for (const name of ["", "flights", "models/", "models/Flights", "models/flights\n", "x\nmodels/flights"]) {
    const fault = faultOf(name);
    expect(fault).toBeInstanceOf(Fault);
    expect((fault as Fault).message).toContain("GetModelRequest.name");
  }
});
