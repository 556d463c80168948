/**
 * Which version has the content that an epoch names. A number is an address only (R6): one that was deleted and put back
 * has another.
 */
import { configHashOf, type LambdaContent } from "@greco/domain/epoch";
import { parseQualifiedArn } from "./function-name.ts";
import type { VersionFacts } from "./region.ts";

/** Undefined: none has it. */
export function addressOf(lambda: LambdaContent, versions: readonly VersionFacts[]): string | undefined {
  const same = versions.filter(
    ({ codeSha256, config }) =>
      codeSha256 === lambda.codeSha256 && configHashOf(config) === lambda.configHash,
  );
  const number = parseQualifiedArn(lambda.qualifiedArn)?.version;
  return (same.find(({ version }) => version === number) ?? same.at(-1))?.version;
}
