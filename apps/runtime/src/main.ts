/**
 * A runtime as a process of its own: programs on worker threads, and where it is told of a region on AWS Lambda.
 *
 *   node apps/runtime/src/main.ts --help
 */
import { availableParallelism } from "node:os";
import { createWorkerFunctionHost } from "@greco/adapter-worker";
import { engineSettings, lambdaSettings, openEngines, openFunctionHost } from "@greco/engines";
import { config, runService } from "@greco/service-kit";
import { openColdBoot } from "./cold-boot.ts";
import { RUNTIME_APP_LIMITS } from "./limits.ts";
import { startRuntime } from "./start-runtime.ts";

const ports = ["laneStore", "bindingStore", "wake"] as const;

await runService(
  {
    name: "runtime",
    about: "reads lanes, and does with each message what the epoch at its position says",
    services: [],
    settings: {
      ...engineSettings(ports),
      ...lambdaSettings,
      name: config.text("what it is called in claims and lanes' writers", { default: "runtime" }),
      listen: config.listen("where health is served", { default: { host: "127.0.0.1", port: 7404 } }),
      models: config.list("models that it serves; none: all", { default: [] }),
      threads: config.integer(
        "worker threads for expressions",
        { min: 1, max: 256 },
        { default: Math.max(1, availableParallelism() - 1) },
      ),
      leaseMs: config.integer(
        "a writer's lease, ms, the same for every ingress and runtime",
        { min: 100, max: 600_000 },
        { default: RUNTIME_APP_LIMITS.leaseMs },
      ),
      coordinator: config.optional(
        config.text("whom to ask for bindings that the data plane has lost, host:port; none: it only waits"),
      ),
      tokenFile: config.optional(config.secretFile("file of the token by which the coordinator knows it")),
    },
  },
  async (parts, signal) => {
    const { given, stack, clock, ids, log, readiness, metrics } = parts;
    const stores = await openEngines(ports, parts, signal);
    const worker = createWorkerFunctionHost({ threads: given.threads, clock, log });
    const functionHost = stack.use(await openFunctionHost(worker, { given, log }));
    const { name, listen, leaseMs, models } = given;
    const coldBoot = openColdBoot(given, stack);
    stack.use(
      await startRuntime(
        { ...stores, clock, ids, log, functionHost, readiness, metrics, ...(coldBoot && { coldBoot }) },
        { name, listen, leaseMs, ...(models.length === 0 ? {} : { models }) },
        signal,
      ),
    );
  },
);
