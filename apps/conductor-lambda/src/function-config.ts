/** The names of contents: what has the same hashes runs the same. */
import { configHashOf, type FunctionSettings } from "@greco/domain/epoch";
import { hashOf } from "@greco/domain/model";

/** Everything that a published version freezes beside its code, as far as we set it. */
export type FunctionConfig = FunctionSettings;

const HASH_DIGITS = 16;

/** What a version is: versions are named by it, so two candidates that need the same share one. */
export const contentHashOf = (codeSha256: string, config: FunctionConfig): string =>
  hashOf(`${codeSha256}\n${configHashOf(config)}`).slice(0, HASH_DIGITS);

/** AWS sets the architecture with the code, and all else with the configuration. */
export const sameSettings = (one: FunctionConfig, other: FunctionConfig): boolean =>
  configHashOf({ ...one, architecture: "" }) === configHashOf({ ...other, architecture: "" });
