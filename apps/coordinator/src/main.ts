/**
 * The coordinator as a process of its own, on the embedded stores.
 *
 *   node apps/coordinator/src/main.ts --data DIR --keys FILE --registry HOST:PORT --token FILE
 *     [--listen HOST:PORT] [--connect HOST:PORT] [--log-level info]
 */
import { join } from "node:path";
import {
  createEmbeddedWake,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { roleOf } from "@greco/control-kit";
import { createClient, tokenFromFile } from "@greco/sdk";
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
import { startCoordinator } from "./start-coordinator.ts";

const schema = {
  data: config.text("folder of the stores"),
  keys: config.text("file of the public keys that tokens are checked by, a JWK set"),
  registry: config.text("where the registry is, host:port", { default: "127.0.0.1:7401" }),
  token: config.text("file of the token by which the registry knows the coordinator"),
  listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 7402 } }),
  connect: config.listen("where Connect and gRPC-Web are served", {
    default: { host: "127.0.0.1", port: 7412 },
  }),
  logLevel: config.oneOf("what is logged", ["debug", "info", "warn", "error"], { default: "info" }),
};

/** A call that hangs must not hold a deadline up for longer than this. */
const CALL_DEADLINE_MS = 10_000;

let log = createLog({ service: "coordinator", level: "info" });

await runProcess(
  async (signal) => {
    const given = parseConfig(schema, { flags: process.argv.slice(2), env: process.env });
    log = createLog({ service: "coordinator", level: given.logLevel });
    await using starting = new AsyncDisposableStack();
    const at = (name: string) => ({ path: join(given.data, `${name}.sqlite`), clock: systemClock });
    const store = starting.use(await openEmbeddedCpStore(at("control"), signal));
    const controlLog = starting.use(await openEmbeddedControlLog(at("control-log")));
    const laneStore = starting.use(await openEmbeddedLaneStore(at("lanes")));
    const wake = starting.use(createEmbeddedWake());
    const token = tokenFromFile(given.token);
    const registry = starting.use(
      createClient(RegistryService, { address: given.registry, token, deadlineMs: CALL_DEADLINE_MS }),
    );
    const tokens = tokenVerifier(await keysFromFile(given.keys, systemClock, log), systemClock);
    const authority = createAuthority({
      tokens,
      roleOf: (model, subject, each) => roleOf(store, model, subject, each),
    });
    starting.use(
      await startCoordinator(
        {
          ...{ store, registry, controlLog, laneStore, wake, log, authority },
          clock: systemClock,
          ids: systemIds,
        },
        { listen: given.listen, connect: given.connect },
        signal,
      ),
    );
    return starting.move();
  },
  { log },
);
