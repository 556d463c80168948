import { controlLogContract } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { openEmbeddedControlLog } from "./control-log.ts";
import { embeddedSetup } from "./testing/setup.ts";

controlLogContract("embedded", embeddedSetup(simulatedClock, openEmbeddedControlLog));
