/**
 * The registry as a process of its own, on the embedded store.
 *
 *   node --max-semi-space-size=8 apps/registry/src/main.ts --data DIR --keys FILE
 *       [--listen HOST:PORT] [--connect HOST:PORT] [--log-level info]
 *
 * The flag keeps V8's young generation small: by itself it grows to some 60 MiB of garbage beside the model.
 */
import { join } from "node:path";
import { openEmbeddedCpStore } from "@greco/adapter-embedded";
import { roleOf } from "@greco/control-kit";
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
import { startRegistry } from "./start-registry.ts";

const schema = {
  data: config.text("folder of the store"),
  keys: config.text("file of the public keys that tokens are checked by, a JWK set"),
  listen: config.listen("where gRPC is served", { default: { host: "127.0.0.1", port: 7401 } }),
  connect: config.listen("where Connect and gRPC-Web are served", {
    default: { host: "127.0.0.1", port: 7411 },
  }),
  logLevel: config.oneOf("what is logged", ["debug", "info", "warn", "error"], { default: "info" }),
};

let log = createLog({ service: "registry", level: "info" });

await runProcess(
  async (signal) => {
    const given = parseConfig(schema, { flags: process.argv.slice(2), env: process.env });
    log = createLog({ service: "registry", level: given.logLevel });
    await using starting = new AsyncDisposableStack();
    const path = join(given.data, "control.sqlite");
    const store = starting.use(await openEmbeddedCpStore({ path, clock: systemClock }, signal));
    const tokens = tokenVerifier(await keysFromFile(given.keys, systemClock, log), systemClock);
    const authority = createAuthority({
      tokens,
      roleOf: (model, subject, each) => roleOf(store, model, subject, each),
    });
    starting.use(
      await startRegistry(
        { store, clock: systemClock, ids: systemIds, log, authority },
        { listen: given.listen, connect: given.connect },
        signal,
      ),
    );
    return starting.move();
  },
  { log },
);
