/** What each error's and finding's reason means and what to do about it. A spec holds the list complete. */
import { CALL_REASONS } from "./reasons/calls.ts";
import { COMMIT_REASONS } from "./reasons/commit.ts";
import { DATA_REASONS } from "./reasons/data.ts";
import { FINDING_REASONS } from "./reasons/findings.ts";
import { LAMBDA_REASONS } from "./reasons/lambda.ts";
import { MODEL_REASONS } from "./reasons/model.ts";
import type { Reasons } from "./reasons/reason.ts";

export const REASONS: Reasons = {
  ...CALL_REASONS,
  ...MODEL_REASONS,
  ...FINDING_REASONS,
  ...COMMIT_REASONS,
  ...DATA_REASONS,
  ...LAMBDA_REASONS,
};
