/**
 * The ingress as a process of its own, on the embedded stores.
 *
 *   node apps/ingress/src/main.ts --data DIR --keys FILE [--listen HOST:PORT] [--connect HOST:PORT] [--operators a,b]
 */
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import {
  config,
  createAuthority,
  createLog,
  keysFromFile,
  parseConfig,
  runProcess,
  systemClock,
  systemIds,
  tokenVerifier,
} from "@greco/service-kit";
import { INGRESS_LIMITS } from "./limits.ts";
import { startIngress } from "./start-ingress.ts";

const schema = {
  data: config.text("folder of the stores"),
  keys: config.text("file of the public keys that tokens are checked by, a JWK set"),
  name: config.text("what its lanes' writers are called", { default: "ingress" }),
  listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 7403 } }),
  connect: config.listen("where Connect and gRPC-Web are served", {
    default: { host: "127.0.0.1", port: 7413 },
  }),
  operators: config.list("subjects that may dead-letter in every stream", { default: [] }),
  leaseMs: config.integer(
    "a writer's lease, the same for every ingress and runtime",
    { min: 100, max: 600_000 },
    { default: INGRESS_LIMITS.leaseMs },
  ),
  logLevel: config.oneOf("what is logged", ["debug", "info", "warn", "error"], { default: "info" }),
};

let log = createLog({ service: "ingress", level: "info" });

await runProcess(
  async (signal) => {
    const given = parseConfig(schema, { flags: process.argv.slice(2), env: process.env });
    log = createLog({ service: "ingress", level: given.logLevel });
    await using starting = new AsyncDisposableStack();
    const at = (name: string) => ({ path: join(given.data, `${name}.sqlite`), clock: systemClock });
    const laneStore = starting.use(await openEmbeddedLaneStore(at("lanes")));
    const bindingStore = starting.use(await openEmbeddedBindingStore(at("bindings")));
    const wake = starting.use(createEmbeddedWake());
    const tokens = tokenVerifier(await keysFromFile(given.keys, systemClock, log), systemClock);
    // No role is looked up: who may publish and subscribe is said by the streams' bindings (I9).
    const authority = createAuthority({ tokens, roleOf: () => Promise.resolve(undefined) });
    const { listen, connect, name, operators, leaseMs } = given;
    starting.use(
      await startIngress(
        { laneStore, bindingStore, wake, clock: systemClock, ids: systemIds, log, authority },
        { listen, connect, name, operators, leaseMs },
        signal,
      ),
    );
    return starting.move();
  },
  { log },
);
