/** What a published version of a function freezes beside its code, and the hash by which a binding names it. */
import { canonicalJson } from "../model/json.ts";
import { hashOf } from "../model/change-set.ts";

export type FunctionSettings = {
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
  /** ARN. */
  readonly role: string;
  readonly architecture: string;
  readonly runtime: string;
  readonly handler: string;
};

const HASH_DIGITS = 16;

/** Of `LambdaContent.configHash`. Conductors name a version by it, and runtimes find one again whose number has changed. */
export function configHashOf(settings: FunctionSettings): string {
  const { memoryMb, timeoutSeconds, environment, role, architecture, runtime, handler } = settings;
  const known = { memoryMb, timeoutSeconds, environment, role, architecture, runtime, handler };
  return hashOf(canonicalJson(known)).slice(0, HASH_DIGITS);
}
