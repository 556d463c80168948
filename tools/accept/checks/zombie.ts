import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-zombie",
  "an ingress, a runtime, a conductor and the driving coordinator stopped for three leases and continued: nothing lost or twice",
  ["apps/demo/src/e2e/zombie.soak.ts"],
);
