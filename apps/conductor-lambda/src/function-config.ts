/** The configuration of a version, and the names of contents: what has the same hashes runs the same. */
import { createHash } from "node:crypto";
import { canonicalJson } from "@greco/domain/model";

/** Everything that a published version freezes beside its code, as far as we set it. */
export type FunctionConfig = {
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly role: string;
  readonly architecture: string;
  readonly runtime: string;
  readonly handler: string;
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const HASH_DIGITS = 16;

/** Of the canonical JSON. Runtimes hash the same to find a version again whose number has changed. */
export function configHashOf(config: FunctionConfig): string {
  const { memoryMb, timeoutSeconds, environment, role, architecture, runtime, handler } = config;
  const text = canonicalJson({ memoryMb, timeoutSeconds, environment, role, architecture, runtime, handler });
  return sha256(text).slice(0, HASH_DIGITS);
}

/** What a version is: versions are named by it, so two candidates that need the same share one. */
export const contentHashOf = (codeSha256: string, config: FunctionConfig): string =>
  sha256(`${codeSha256}\n${configHashOf(config)}`).slice(0, HASH_DIGITS);

/** AWS sets the architecture with the code, and all else with the configuration. */
export const sameSettings = (one: FunctionConfig, other: FunctionConfig): boolean =>
  configHashOf({ ...one, architecture: "" }) === configHashOf({ ...other, architecture: "" });
