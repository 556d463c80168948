/**
 * A runtime as a process of its own, on the embedded stores and worker threads.
 *
 *   node apps/runtime/src/main.ts --data DIR [--listen HOST:PORT] [--threads N] [--name NAME] [--models a,b]
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import { config, createLog, parseConfig, runProcess, systemClock, systemIds } from "@greco/service-kit";
import { RUNTIME_APP_LIMITS } from "./limits.ts";
import { startRuntime } from "./start-runtime.ts";

const schema = {
  data: config.text("folder of the stores"),
  name: config.text("what it is called in claims and lanes' writers", { default: "runtime" }),
  listen: config.listen("where health is served", { default: { host: "127.0.0.1", port: 7404 } }),
  models: config.list("models that it serves; none: all", { default: [] }),
  threads: config.integer(
    "worker threads for expressions",
    { min: 1, max: 256 },
    { default: Math.max(1, availableParallelism() - 1) },
  ),
  leaseMs: config.integer(
    "a writer's lease, the same for every ingress and runtime",
    { min: 100, max: 600_000 },
    { default: RUNTIME_APP_LIMITS.leaseMs },
  ),
  logLevel: config.oneOf("what is logged", ["debug", "info", "warn", "error"], { default: "info" }),
};

let log = createLog({ service: "runtime", level: "info" });

await runProcess(
  async (signal) => {
    const given = parseConfig(schema, { flags: process.argv.slice(2), env: process.env });
    log = createLog({ service: "runtime", level: given.logLevel });
    await using starting = new AsyncDisposableStack();
    const at = (name: string) => ({ path: join(given.data, `${name}.sqlite`), clock: systemClock });
    const laneStore = starting.use(await openEmbeddedLaneStore(at("lanes")));
    const bindingStore = starting.use(await openEmbeddedBindingStore(at("bindings")));
    const wake = starting.use(createEmbeddedWake());
    const functionHost = starting.use(
      createWorkerFunctionHost({ threads: given.threads, clock: systemClock, log }),
    );
    const { name, listen, leaseMs, models } = given;
    starting.use(
      await startRuntime(
        { laneStore, bindingStore, wake, clock: systemClock, ids: systemIds, log, functionHost },
        { name, listen, leaseMs, ...(models.length === 0 ? {} : { models }) },
        signal,
      ),
    );
    return starting.move();
  },
  { log },
);
