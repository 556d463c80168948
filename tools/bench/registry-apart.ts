// The registry as a process of its own on etcd, with a small committed model, and a bare grpc-js server beside it.
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { createClient } from "@greco/sdk";
import { systemIds } from "@greco/service-kit";
import { servers } from "../servers/for-tests.ts";
import { benchKeys, startProcess, type Process } from "./app-process.ts";
import { loadModel, type RegistryClient } from "./registry.ts";

export const MODEL = "bench";

export type RegistryApart = AsyncDisposable & {
  readonly registry: Process;
  readonly person: RegistryClient;
  /** Of a person who is the model's admin. */
  readonly token: string;
  /** Bare grpc-js that answers with so many bytes. */
  bare(bytes: number): Promise<Process>;
};

export async function openRegistryApart(entities: number, signal: AbortSignal): Promise<RegistryApart> {
  await using stack = new AsyncDisposableStack();
  const etcd = stack.use(await servers.etcd({}, signal));
  const { keys } = stack.use(await benchKeys());
  const env = {
    GRECO_ENGINES: "real",
    GRECO_ETCD: etcd.addresses.join(","),
    GRECO_ETCD_PREFIX: `bench/${systemIds.next()}/`,
  };
  const free = "127.0.0.1:0";
  const flags = ["--keys", keys.keysFile, "--listen", free, "--connect", free, "--metrics", free];
  const program = "apps/registry/src/main.ts";
  const registry = stack.use(await startProcess({ program, flags, env, event: "registry.started" }, signal));
  const { address } = registry;
  const token = await keys.issue({ subject: "loader" });
  const service = { kind: "control", name: "coordinator" } as const;
  const person = stack.use(createClient(RegistryService, { address, token }));
  const control = stack.use(
    createClient(RegistryService, { address, token: await keys.issue({ subject: "coordinator", service }) }),
  );
  await loadModel({ person, control, idle: () => Promise.resolve() }, MODEL, entities, signal);
  const owned = stack.move();
  return {
    registry,
    person,
    token,
    bare: async (bytes) =>
      owned.use(
        await startProcess(
          { program: "tools/bench/echo-server.ts", flags: [String(bytes)], event: "bare.serving" },
          signal,
        ),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
