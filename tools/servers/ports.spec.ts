import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { keptPorts } from "./ports.ts";

it("keeps a folder's ports for its next start, and says so where it has the data of another cluster", async () => {
  const parent = await mkdtemp(join(tmpdir(), "greco-ports-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, "etcd");
  const ports = await keptPorts(folder, 3, 6);
  expect(new Set(ports).size).toBe(6);
  expect(await keptPorts(folder, 3, 6)).toEqual(ports);
  await expect(keptPorts(folder, 1, 2)).rejects.toThrow(/data of 3 node\(s\), not 1: start as many/);
});
