import { bindingStoreContract } from "@greco/ports/testing";
import { simulatedClock } from "@greco/simulation";
import { openEmbeddedBindingStore } from "./binding-store.ts";
import { embeddedSetup } from "./testing/setup.ts";

bindingStoreContract("embedded", embeddedSetup(simulatedClock, openEmbeddedBindingStore));
