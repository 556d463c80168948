import { suiteCheck } from "../suites.ts";

export const check = suiteCheck(
  "A-roles",
  "roles per model, second-person approval, audit; make-it-so by an editor names the missing role",
  ["apps/demo/src/e2e/roles.e2e.ts"],
);
