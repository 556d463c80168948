import { globSync } from "node:fs";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { ColdBootService } from "@greco/contracts/greco/conductor/v1/cold_boot";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { expect, it } from "vitest";
import { roleTable } from "./rules.ts";

const contracts = join(import.meta.dirname, "../../../contracts/src/gen/greco");

async function allServices(): Promise<DescService[]> {
  const files = globSync("**/*_pb.ts", { cwd: contracts });
  const modules = await Promise.all(
    files.map((file) => import(join(contracts, file)) as Promise<Record<string, unknown>>),
  );
  return modules.flatMap((module) => Object.values(module)).filter(isService);
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}

it("I14: gives every method of every service of the contract a rule", async () => {
  const services = await allServices();
  expect(services.length).toBeGreaterThanOrEqual(4);
  const table = roleTable(services);
  expect(table.size).toBe(services.flatMap(({ methods }) => methods).length);
});

it("I14: refuses methods without a role, and those whose request names no model, each by its name", () => {
  const { methods, ...rest } = RegistryService;
  const roleless = methods
    .slice(0, 2)
    .map((method) => ({ ...method, proto: { ...method.proto, options: undefined } }));
  const modelless = { ...RegistryService.method.getModel, input: RegistryService.method.listModels.input };
  const service = { ...rest, methods: [...roleless, modelless] } as unknown as DescService;
  expect(() => roleTable([service])).toThrow(
    /RegistryService\/CreateModel has no role.*RegistryService\/GetModel has no role.*GetModel needs the role viewer, but .*names no model/,
  );
});

it("reads roles and the fields that name the model", () => {
  const table = roleTable([RegistryService, ConductorService, ColdBootService]);
  const rule = table.get(RegistryService.method.getEntity);
  expect(rule).toMatchObject({ person: "viewer", conductor: false, authenticated: false });
  expect(rule?.modelFields.map(({ path }) => path)).toEqual(["name", "view.draft"]);
  expect(table.get(RegistryService.method.snapshot)).toMatchObject({
    person: "viewer",
    conductor: true,
    runtime: false,
  });
  // I10: the one method that a runtime may call.
  expect(table.get(ColdBootService.method.requestBindings)).toMatchObject({
    person: undefined,
    runtime: true,
  });
  expect(table.get(RegistryService.method.updateKind)?.modelFields.map(({ path }) => path)).toEqual([
    "kind.name",
  ]);
  expect(table.get(ConductorService.method.answerCommand)).toMatchObject({
    person: undefined,
    conductor: true,
  });
});
