import { expect, it } from "vitest";
import { configHashOf, type FunctionSettings } from "@greco/domain/epoch";
import { settingsOf } from "./configuration.ts";

const settings: FunctionSettings = {
  memoryMb: 256,
  timeoutSeconds: 30,
  environment: { B: "2", A: "1" },
  role: "arn:aws:iam::123456789012:role/late",
  architecture: "arm64",
  runtime: "nodejs22.x",
  handler: "index.handler",
};

it("is the hash that bindings which are stored already have", () => {
  expect(configHashOf(settings)).toBe("2955e38a3b2cc906");
});

it("is the same of what AWS answers, whatever it says beside", () => {
  const seen = {
    MemorySize: 256,
    Timeout: 30,
    Environment: { Variables: { A: "1", B: "2" } },
    Role: settings.role,
    Architectures: ["arm64" as const],
    Runtime: "nodejs22.x" as const,
    Handler: "index.handler",
    Description: "greco m late@7",
    RevisionId: "r",
  };
  expect(configHashOf(settingsOf(seen))).toBe(configHashOf(settings));
  // No variables: AWS leaves them out.
  const { Environment: _, ...without } = seen;
  expect(configHashOf(settingsOf(without))).toBe(configHashOf({ ...settings, environment: {} }));
});

it("changes with each of them", () => {
  const changes: Partial<FunctionSettings>[] = [
    { memoryMb: 128 },
    { timeoutSeconds: 31 },
    { environment: { A: "1" } },
    { role: "arn:aws:iam::123456789012:role/other" },
    { architecture: "x86_64" },
    { runtime: "nodejs24.x" },
    { handler: "other.handler" },
  ];
  const hashes = [{}, ...changes].map((change) => configHashOf({ ...settings, ...change }));
  expect(new Set(hashes).size).toBe(hashes.length);
});
