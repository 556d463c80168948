/**
 * The registry as a process of its own.
 *
 *   node --max-semi-space-size=8 apps/registry/src/main.ts --help
 *
 * That flag keeps V8's young generation small: by itself it grows to some 60 MiB of garbage beside the model.
 */
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { engineSettings, openEngines } from "@greco/engines";
import {
  config,
  createAuthority,
  keysFromFile,
  runService,
  tokenVerifier,
  type RoleLookup,
} from "@greco/service-kit";
import { startRegistry } from "./start-registry.ts";

const ports = ["cpStore"] as const;

await runService(
  {
    name: "registry",
    about: "models, drafts, candidates and versions; it decides what is committed",
    services: [RegistryService],
    settings: {
      ...engineSettings(ports),
      keys: config.text("file of the public keys that tokens are checked by, a JWK set"),
      listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 7401 } }),
      connect: config.listen("where Connect and gRPC-Web are served", {
        default: { host: "127.0.0.1", port: 7411 },
      }),
    },
  },
  async (parts, signal) => {
    const { given, stack, clock, ids, log, readiness, metrics } = parts;
    const { cpStore: store } = await openEngines(ports, parts, signal);
    const tokens = tokenVerifier(await keysFromFile(given.keys, clock, log), clock);
    const authority = (roleOf: RoleLookup) => createAuthority({ tokens, roleOf });
    const { listen, connect } = given;
    stack.use(
      await startRegistry(
        { store, clock, ids, log, authority, readiness, metrics },
        { listen, connect },
        signal,
      ),
    );
  },
);
