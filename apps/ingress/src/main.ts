/**
 * The ingress as a process of its own.
 *
 *   node apps/ingress/src/main.ts --help
 */
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { engineSettings, openEngines } from "@greco/engines";
import { config, createAuthority, keysFromFile, runService, tokenVerifier } from "@greco/service-kit";
import { INGRESS_LIMITS } from "./limits.ts";
import { startIngress } from "./start-ingress.ts";

const ports = ["laneStore", "bindingStore", "wake"] as const;

await runService(
  {
    name: "ingress",
    about: "the data plane's door: publish, subscribe, the state of lanes",
    services: [IngressService],
    settings: {
      ...engineSettings(ports),
      keys: config.text("file of the public keys that tokens are checked by, a JWK set"),
      name: config.text("what its lanes' writers are called", { default: "ingress" }),
      listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 7403 } }),
      connect: config.listen("where Connect and gRPC-Web are served", {
        default: { host: "127.0.0.1", port: 7413 },
      }),
      operators: config.list("subjects that may dead-letter in every stream", { default: [] }),
      leaseMs: config.integer(
        "a writer's lease, ms, the same for every ingress and runtime",
        { min: 100, max: 600_000 },
        { default: INGRESS_LIMITS.leaseMs },
      ),
    },
  },
  async (parts, signal) => {
    const { given, stack, clock, ids, log, readiness, metrics } = parts;
    const stores = await openEngines(ports, parts, signal);
    // No role is looked up: who may publish and subscribe is said by the streams' bindings (I9).
    const authority = createAuthority({
      tokens: tokenVerifier(await keysFromFile(given.keys, clock, log), clock),
      roleOf: () => Promise.resolve(undefined),
    });
    const { listen, connect, name, operators, leaseMs } = given;
    stack.use(
      await startIngress(
        { ...stores, clock, ids, log, authority, readiness, metrics },
        { listen, connect, name, operators, leaseMs },
        signal,
      ),
    );
  },
);
