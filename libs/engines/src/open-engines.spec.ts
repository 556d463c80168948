import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, configHelp, parseConfig, Readiness, systemClock } from "@greco/service-kit";
import { expect, it } from "vitest";
import { openEngines } from "./open-engines.ts";
import type { PortName } from "./ports.ts";
import { engineSettings } from "./settings.ts";

const never = new AbortController().signal;

async function open<const P extends PortName>(ports: readonly P[], flags: readonly string[], env = {}) {
  const stack = new AsyncDisposableStack();
  const parts = {
    given: parseConfig(engineSettings(ports), { flags, env }),
    clock: systemClock,
    log: createLog({ service: "test", level: "silent" }),
    readiness: new Readiness(),
    metrics: undefined,
    stack,
    waitFor: <T>(_: string, opening: (signal: AbortSignal) => Promise<T>) => opening(never),
  };
  return { stack, ...(await openEngines(ports, parts, never)) };
}

it("opens the ports that were asked for, and no other, in the folder", async () => {
  const data = await mkdtemp(join(tmpdir(), "greco-engines-"));
  try {
    const { stack, cpStore, ...rest } = await open(["cpStore"], ["--data", data]);
    expect(rest).toEqual({});
    const written = await cpStore.transact(
      { compare: [], then: [{ type: "put", key: "a", value: new Uint8Array([1]) }] },
      never,
    );
    expect(written.succeeded).toBe(true);
    await stack.disposeAsync();
    expect((await readdir(data)).filter((name) => name.endsWith(".sqlite"))).toEqual(["control.sqlite"]);
  } finally {
    await rm(data, { recursive: true });
  }
});

it("says what is missing for the engines that were chosen", async () => {
  await expect(open(["laneStore"], [])).rejects.toThrow("--data is missing");
  await expect(open(["cpStore", "laneStore", "wake"], ["--engines=real", "--etcd=e:2379"])).rejects.toThrow(
    "--cassandra is missing: with --engines real, give its nodes, or GRECO_CASSANDRA\n--nats is missing",
  );
});

it("takes the names of every engine from a shared environment, and tells of those of use only", () => {
  const env = { GRECO_ETCD: "e:2379", GRECO_NATS: "n:4222", GRECO_CASSANDRA: "c:9042", GRECO_KEYSPACE: "k" };
  const schema = engineSettings(["laneStore", "wake"]);
  expect(parseConfig(schema, { env }).cassandra).toEqual(["c:9042"]);
  const help = configHelp({ name: "runtime", about: "", schema });
  expect(help).toContain("--keyspace");
  expect(help).not.toContain("--etcd");
});
