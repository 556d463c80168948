/** Both adapters held to the contracts of their ports, on one shared server. */
import { controlLogContract, wakeContract } from "@greco/ports/testing";
import { afterAll, beforeAll } from "vitest";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openJetStreamControlLog } from "./control-log.ts";
import { natsSetup } from "./testing/setup.ts";
import { openNatsWake } from "./wake.ts";

let nats: Cluster;
beforeAll(async () => {
  nats = await servers.nats({}, new AbortController().signal);
});
afterAll(() => nats[Symbol.asyncDispose]());

controlLogContract(
  "JetStream",
  natsSetup(() => nats.addresses, openJetStreamControlLog),
);
wakeContract(
  "NATS",
  natsSetup(() => nats.addresses, openNatsWake),
);
