/** Each operation of the region: what AWS calls it, what the conductor must be allowed for it, and what it counts as. */
import type { Region } from "./region.ts";

export type Operation = {
  readonly command: string;
  /** Actions of IAM; the first is the operation's own. */
  readonly actions: readonly string[];
  /**
   * `control`: of the 15 calls a second that an account has for all of Lambda's control plane. `reads`: GetFunction,
   * which has a limit of its own. `none`: of another service, and seldom.
   */
  readonly bucket: "control" | "reads" | "none";
  readonly writes: boolean;
};

const reads = (command: string, more: Partial<Operation> = {}): Operation => ({
  command,
  actions: [`lambda:${command}`],
  bucket: "control",
  writes: false,
  ...more,
});
const writes = (command: string, ...also: readonly string[]): Operation => ({
  command,
  actions: [`lambda:${command}`, ...also],
  bucket: "control",
  writes: true,
});

export const OPERATIONS = {
  // Tags are left out of the answer for who may not list them.
  getFunction: reads("GetFunction", { bucket: "reads", actions: ["lambda:GetFunction", "lambda:ListTags"] }),
  listVersions: reads("ListVersionsByFunction"),
  createFunction: writes("CreateFunction", "lambda:TagResource", "iam:PassRole"),
  updateConfiguration: writes("UpdateFunctionConfiguration", "iam:PassRole"),
  updateCode: writes("UpdateFunctionCode"),
  publishVersion: writes("PublishVersion"),
  deleteFunction: writes("DeleteFunction"),
  getProvisioned: reads("GetProvisionedConcurrencyConfig"),
  putProvisioned: writes("PutProvisionedConcurrencyConfig"),
  deleteProvisioned: writes("DeleteProvisionedConcurrencyConfig"),
  putReserved: writes("PutFunctionConcurrency"),
  deleteReserved: writes("DeleteFunctionConcurrency"),
  getAlias: reads("GetAlias"),
  createAlias: writes("CreateAlias"),
  updateAlias: writes("UpdateAlias"),
  getAccount: reads("GetAccountSettings"),
  getRole: reads("GetRole", { bucket: "none", actions: ["iam:GetRole"] }),
} as const satisfies Record<keyof Region, Operation>;

export type OperationName = keyof typeof OPERATIONS;
