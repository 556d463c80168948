import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "B-wire",
  "from ingress and runtime to the control plane: nothing but the cold-boot request, by their TCP connections and at its doors",
  ["apps/demo/src/e2e/wire.soak.ts", "apps/dev/src/wire.int.ts"],
);
