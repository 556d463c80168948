import { laneStoreContract } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { openEmbeddedLaneStore } from "./lane-store.ts";
import { embeddedSetup } from "./testing/setup.ts";

laneStoreContract("embedded", embeddedSetup(simulatedClock, openEmbeddedLaneStore));
