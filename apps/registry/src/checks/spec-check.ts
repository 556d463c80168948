/** What a kind's schema and rules say of a spec. Compiled once for each text, whichever model it stands in. */
import { compileCel, compileSchema, createCelEnvironment, CelError } from "@greco/expression";
import type { CompiledCel, CompiledSchema } from "@greco/expression";
import { finding, type Finding, type Kind, type SpecCheck } from "@greco/domain/model";
import { Lru } from "../cache/lru.ts";

type CompiledRule = { readonly id: string; readonly message: string; readonly holds: CompiledCel };
type CompiledKind = { readonly schema: CompiledSchema; readonly rules: readonly CompiledRule[] };

const COMPILED_KINDS_MAX = 500;

export const NAME_SCHEMA = { type: "string" } as const;

export function createSpecCheck(): SpecCheck {
  const compiled = new WeakMap<Kind, CompiledKind>();
  const byText = new Lru<CompiledKind>(COMPILED_KINDS_MAX, () => 1);
  const compiledOf = (kind: Kind): CompiledKind => {
    const known = compiled.get(kind);
    if (known !== undefined) return known;
    const text = JSON.stringify([kind.schema, kind.rules]);
    const result = byText.get(text) ?? compile(kind);
    byText.set(text, result);
    compiled.set(kind, result);
    return result;
  };
  return (kind, key, spec) => {
    const { schema, rules } = compiledOf(kind);
    const errors = schema.validate(spec);
    // Rules may rely on what the schema promises.
    if (errors.length === 0) return rules.flatMap((rule) => checkRule(kind, rule, key, spec));
    return errors.map(({ path, message }) =>
      finding(
        key,
        "SPEC_INVALID",
        `${path === "" ? "the spec" : path} ${message}`,
        `correct it; the schema of the kind ${kind.id} says what is allowed`,
        { fieldPath: path },
      ),
    );
  };
}

function compile(kind: Kind): CompiledKind {
  const environment = createCelEnvironment({ variables: { spec: kind.schema, name: NAME_SCHEMA } });
  return {
    schema: compileSchema(kind.schema),
    rules: kind.rules.map(({ id, message, expression }) => ({
      id,
      message,
      holds: compileCel(expression, environment, { type: "bool" }),
    })),
  };
}

function checkRule(kind: Kind, rule: CompiledRule, key: string, spec: object): readonly Finding[] {
  const name = key.slice(key.indexOf("/") + 1);
  try {
    if (rule.holds({ spec, name }) === true) return [];
    const remedy = `change the spec so that the rule ${rule.id} of the kind ${kind.id} holds`;
    return [finding(key, "RULE_BROKEN", rule.message, remedy)];
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return [
      finding(
        key,
        "RULE_FAILED",
        `the rule ${rule.id} of the kind ${kind.id} has no value for this spec: ${error.message}`,
        "an admin can correct the rule, as with has()",
      ),
    ];
  }
}
