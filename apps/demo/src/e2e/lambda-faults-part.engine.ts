/** Each so-many-th cell of C-fault, which goes through all calls and all troubles; lambda-faults.soak.ts runs all. */
import { lambdaFaultsSuite } from "./lambda-faults/suite.ts";

lambdaFaultsSuite("C-fault: what goes wrong between Lambda's conductor and AWS, a part of the cells", {
  models: 16,
  every: 11,
  withinMs: 900_000,
});
