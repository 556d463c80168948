/**
 * Patterns by RE2: linear in the text, whatever the pattern. No pattern of a schema, an expression or a message
 * may reach the built-in RegExp, where `^(a+)+$` takes seconds for 40 letters (I15).
 *
 * RE2's syntax has no look-around and no back-references. `test` finds the pattern anywhere in the text, as
 * JSON Schema and CEL say.
 */
import { RE2JS } from "@bufbuild/re2";
import { PATTERN_LENGTH_MAX } from "./limits.ts";

export type SafeRegExp = { readonly source: string; test(text: string): boolean; toString(): string };

export class PatternError extends Error {
  override name = "PatternError";
}

export function createRegExp(pattern: string): SafeRegExp {
  if (pattern.length > PATTERN_LENGTH_MAX) {
    throw new PatternError(
      `pattern of ${pattern.length} characters: at most ${PATTERN_LENGTH_MAX} are allowed; split it`,
    );
  }
  const compiled = compile(pattern);
  return { source: pattern, test: (text) => compiled.test(text), toString: () => pattern };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PatternError(
      `pattern ${JSON.stringify(pattern)} is no RE2 pattern: ${why}; RE2 has no look-around and no back-references`,
      { cause: error },
    );
  }
}
