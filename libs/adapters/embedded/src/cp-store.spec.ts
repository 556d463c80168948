import { cpStoreContract } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { openEmbeddedCpStore } from "./cp-store.ts";
import { embeddedSetup } from "./testing/setup.ts";

cpStoreContract("embedded", embeddedSetup(simulatedClock, openEmbeddedCpStore));
