import { wakeContract } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { embeddedSetup } from "./testing/setup.ts";
import { createEmbeddedWake } from "./wake.ts";

wakeContract(
  "embedded",
  embeddedSetup(simulatedClock, async () => createEmbeddedWake()),
);
