/**
 * CEL expressions, compiled. An expression is pure: the same bindings give the same value or the same error on
 * every machine (I6); none can run for ever or grow without bound (I15).
 */
import {
  checkSize,
  exhaustedError,
  isExhausted,
  refillBudget,
  spend,
  spendOn,
  BudgetError,
} from "./cel-budget.ts";
import { type CelExpectation, type CelFinding, checkCel } from "./cel-check.ts";
import { checkLeniently, type Evaluate, type Node, nodesOf, type Parsed, parseCel } from "./cel-engine.ts";
import type { CelEnvironment } from "./cel-environment.ts";
import { REPLACED } from "./cel-functions.ts";
import { EvaluationError } from "./cel-library.ts";
import { ResultError, toJson } from "./cel-result.ts";
import { TimeError } from "./cel-time.ts";
import { isSchemaObject } from "./schema-keywords.ts";
import { PatternError } from "./regexp.ts";

/** Returns JSON. Throws `CelError`, whatever the bindings. */
export type CompiledCel = (bindings: Readonly<Record<string, unknown>>) => unknown;

/** An expression that cannot be compiled: `findings` say why. */
export class CelCompileError extends Error {
  override name = "CelCompileError";
  readonly findings: readonly CelFinding[];
  constructor(source: string, findings: readonly CelFinding[]) {
    const [first] = findings;
    super(`${shorten(source)}: column ${first?.column}: ${first?.message}; ${first?.remedy}`);
    this.findings = findings;
  }
}

export type CelErrorReason =
  | "NO_SUCH_FIELD"
  | "TYPE_MISMATCH"
  | "DIVISION_BY_ZERO"
  | "TOO_MANY_STEPS"
  | "NOT_JSON"
  | "EVALUATION_FAILED";

/** An expression that has no value for these bindings. The same again fails the same. */
export class CelError extends Error {
  override name = "CelError";
  readonly reason: CelErrorReason;
  constructor(reason: CelErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Throws `CelCompileError`. */
export function compileCel(
  source: string,
  environment: CelEnvironment,
  expected: CelExpectation = {},
): CompiledCel {
  const check = checkCel(source, environment, expected);
  if (!check.ok) throw new CelCompileError(source, check.findings);
  const parsed = parseCel(environment.running, source);
  const { valid, error } = checkLeniently(environment.running, parsed);
  if (!valid) {
    const message = error instanceof EvaluationError || error !== undefined ? error.message : "invalid";
    const remedy = "convert with string(), double(), int() or dyn()";
    throw new CelCompileError(source, [{ reason: "TYPE_MISMATCH", message, line: 1, column: 1, remedy }]);
  }
  limit(parsed.ast);
  const wanted = expected.type;
  return (bindings) => {
    const value = evaluate(parsed, source, bindings);
    if (wanted === undefined || typeOf(value) === wanted) return value;
    throw new CelError(
      "TYPE_MISMATCH",
      `${shorten(source)}: the result is ${typeOf(value)}, must be ${wanted}`,
    );
  };
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
      return "double";
    case "string":
      return "string";
    default:
      return Array.isArray(value) ? "list" : "map";
  }
}

function evaluate(parsed: Parsed, source: string, bindings: Readonly<Record<string, unknown>>): unknown {
  try {
    return run(parsed, bindings);
  } catch (error) {
    // The library asks a value for its `constructor`, and a payload may have a field of that name.
    const safe = withoutConstructors(bindings);
    if (safe === undefined) throw toCelError(error, source);
    try {
      return run(parsed, safe);
    } catch (second) {
      throw toCelError(second, source);
    }
  }
}

function run(parsed: Parsed, bindings: Readonly<Record<string, unknown>>): unknown {
  refillBudget();
  const value = parsed(bindings);
  if (isExhausted()) throw exhaustedError();
  return toJson(value);
}

/** The bindings with a Map in the place of each object that has a field `constructor`; undefined: there is none. */
function withoutConstructors(
  bindings: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  let found = false;
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace);
    if (!isSchemaObject(value) || value instanceof Map) return value;
    const entries = Object.entries(value).map(([name, item]) => [name, replace(item)] as const);
    if (!Object.hasOwn(value, "constructor")) return Object.fromEntries(entries);
    found = true;
    return new Map(entries);
  };
  const safe = Object.fromEntries(Object.entries(bindings).map(([name, value]) => [name, replace(value)]));
  return found ? safe : undefined;
}

/**
 * Puts the budget into the tree: loops count their rounds, and what can grow is measured. An expression without
 * loops and sums pays nothing.
 */
function limit(root: Node): void {
  const nodes = nodesOf(root);
  // Only by a loop's variable, or `cel.bind`, can a value be made that holds the same part many times.
  const shares = nodes.some((node) => node.op === "comprehension" || (node.op === "rcall" && isBind(node)));
  for (const node of nodes) {
    const inner = node.meta.evaluate;
    if (node.op === "+") node.setMeta("evaluate", measured(inner));
    if (node.op === "comprehension") {
      node.setMeta("evaluate", counted(inner));
      const { step } = node.args as { step: Node };
      step.setMeta("evaluate", counted(step.meta.evaluate));
    }
    if (shares && (node.op === "==" || node.op === "!=" || node.op === "in"))
      node.setMeta("evaluate", compared);
  }
}

function isBind(node: Node): boolean {
  return (node.args as readonly unknown[])[0] === "bind";
}

function measured(inner: Evaluate): Evaluate {
  return (evaluator, node, context) => {
    const value = inner(evaluator, node, context);
    checkSize(value);
    return value;
  };
}

function counted(inner: Evaluate): Evaluate {
  return (evaluator, node, context) => {
    spend(1);
    return inner(evaluator, node, context);
  };
}

const compared: Evaluate = (evaluator, node, context) => {
  const left = evaluator.run(node.left as Node, context);
  const right = evaluator.run(node.right as Node, context);
  spendOn(left);
  spendOn(right);
  return node.handle?.(left, right, node, evaluator);
};

function toCelError(error: unknown, source: string): CelError {
  if (error instanceof CelError) return error;
  const where = shorten(source);
  if (error instanceof BudgetError) return new CelError("TOO_MANY_STEPS", `${where}: ${error.message}`);
  if (error instanceof ResultError) return new CelError("NOT_JSON", `${where}: ${error.message}`);
  if (error instanceof TimeError || error instanceof PatternError) {
    return new CelError("EVALUATION_FAILED", `${where}: ${error.message}`);
  }
  if (error instanceof EvaluationError) {
    // Types that showed only now are `dyn<double>` to the library.
    const message = error.summary.replaceAll(/dyn<([^<>]+)>/g, "$1").replaceAll(REPLACED, "");
    return new CelError(reasonOf(error.code), `${where}: ${message}`, { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new CelError("EVALUATION_FAILED", `${where}: ${message}`, { cause: error });
}

function reasonOf(code: string | undefined): CelErrorReason {
  switch (code) {
    case "no_such_key":
    case "index_out_of_bounds":
    case "unknown_variable":
      return "NO_SUCH_FIELD";
    case "division_by_zero":
    case "modulo_by_zero":
      return "DIVISION_BY_ZERO";
    case "no_such_overload":
    case "no_matching_overload":
    case "invalid_condition_type":
    case "invalid_logical_operand":
    case "unsupported_type":
      return "TYPE_MISMATCH";
    default:
      return "EVALUATION_FAILED";
  }
}

function shorten(source: string): string {
  return source.length > 80 ? `${source.slice(0, 79)}…` : source;
}
