/**
 * All cells of C-fault: each operation × each of its calls × everything that may go wrong there. Some of them again:
 *
 *   LOG=1 LAMBDA_CELLS='PublishVersion \| kill' npm run test:soak -- apps/demo/src/e2e/lambda-faults.soak.ts
 */
import { lambdaFaultsSuite } from "./lambda-faults/suite.ts";

lambdaFaultsSuite("C-fault: what goes wrong between Lambda's conductor and AWS, all cells", {
  models: 16,
  every: 1,
  only: new RegExp(process.env["LAMBDA_CELLS"] ?? ""),
  withinMs: 3_600_000,
});
