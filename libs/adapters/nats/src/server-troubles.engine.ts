/** Both adapters held to the contracts of their ports while their server restarts, is wiped, is cut off. */
import { controlLogServerContract, wakeServerContract } from "@greco/ports/testing";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { openJetStreamControlLog } from "./control-log.ts";
import { noAbort, ownServerSetup } from "./testing/setup.ts";
import { openNatsWake } from "./wake.ts";

const ownServer = () => servers.nats({ own: true }, noAbort);

controlLogServerContract("JetStream", ownServerSetup(ownServer, openJetStreamControlLog));
wakeServerContract("NATS", ownServerSetup(ownServer, openNatsWake));
