/** Is this an expression that can run on these types; if not, where it fails, why, and what to write instead (I15). */
import { checkLeniently, nodesOf, type Node, type Parsed, parseCel, readable } from "./cel-engine.ts";
import type { CelEnvironment } from "./cel-environment.ts";
import { REPLACED } from "./cel-functions.ts";
import { CheckError, ParseError } from "./cel-library.ts";
import { parseDuration, parseTimestamp } from "./cel-time.ts";
import { type CelType, schemaOfCelType } from "./cel-types.ts";
import { CEL_SOURCE_MAX } from "./limits.ts";
import { nearestName } from "./nearest.ts";
import { createRegExp } from "./regexp.ts";

export type CelFindingReason =
  | "EMPTY"
  | "TOO_COMPLEX"
  | "SYNTAX_ERROR"
  | "UNKNOWN_FIELD"
  | "UNKNOWN_VARIABLE"
  | "UNKNOWN_FUNCTION"
  | "TYPE_MISMATCH"
  | "BAD_LITERAL";

export type CelFinding = {
  readonly reason: CelFindingReason;
  /** Says nothing of the entity that the expression stands in; the caller knows it. */
  readonly message: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly remedy: string;
};

export type CelCheck =
  | {
      readonly ok: true;
      /** CEL's type for people: `bool`, `double`, `list<string>`, `object event.carrier`, `dyn`. */
      readonly type: string;
      /** JSON Schema of the result; `{}` if it may be anything. */
      readonly schema: Readonly<Record<string, unknown>>;
    }
  | { readonly ok: false; readonly findings: readonly CelFinding[] };

export type CelExpectation = {
  /** The type that the result must have; `dyn` is taken, and must turn out to have it. */
  readonly type?: "bool" | "string" | "double";
};

/** Never throws. */
export function checkCel(
  source: string,
  environment: CelEnvironment,
  expected: CelExpectation = {},
): CelCheck {
  const finding = (reason: CelFindingReason, at: number, message: string, remedy: string): CelFinding => ({
    reason,
    message: readable(message, environment.typed.objects),
    ...position(source, at),
    remedy,
  });
  if (source.trim() === "") {
    return failed(finding("EMPTY", 0, "the expression is empty", "write one, or leave the field out"));
  }
  if (source.length > CEL_SOURCE_MAX) {
    const message = `${source.length} characters: at most ${CEL_SOURCE_MAX} are allowed`;
    return failed(finding("TOO_COMPLEX", 0, message, "split it, or write a handler"));
  }
  const parsed = parse(source, environment, finding);
  if ("reason" in parsed) return failed(parsed);
  const { valid, type, error } = checkLeniently(environment.typed.environment, parsed);
  if (!valid || type === undefined) return failed(explain(error, environment, finding));
  const findings = [...checkNodes(parsed.ast, environment, finding)];
  if (findings.length > 0) return { ok: false, findings };
  const own = typeOfName(type, environment);
  const name = readable(type, environment.typed.objects);
  if (
    expected.type !== undefined &&
    type !== expected.type &&
    own.kind !== "dyn" &&
    !isNumber(type, expected.type)
  ) {
    const remedy =
      expected.type === "bool" ? "compare it with something" : `convert it with ${expected.type}()`;
    return failed(finding("TYPE_MISMATCH", 0, `the result is ${name}, must be ${expected.type}`, remedy));
  }
  return { ok: true, type: name, schema: schemaOfCelType(own) };
}

type MakeFinding = (reason: CelFindingReason, at: number, message: string, remedy: string) => CelFinding;

function failed(...findings: readonly CelFinding[]): CelCheck {
  return { ok: false, findings };
}

function position(source: string, at: number): { line: number; column: number } {
  const before = source.slice(0, at);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: at - start + 1 };
}

function isNumber(type: string, expected: string): boolean {
  return expected === "double" && (type === "int" || type === "uint");
}

function parse(source: string, environment: CelEnvironment, finding: MakeFinding): Parsed | CelFinding {
  try {
    return parseCel(environment.typed.environment, source);
  } catch (error) {
    if (error instanceof RangeError) {
      return finding("TOO_COMPLEX", 0, "the expression is nested too deep", "make it flatter");
    }
    if (!(error instanceof ParseError)) throw error;
    const at = error.range?.start ?? 0;
    if (error.code === "limit_exceeded") {
      return finding("TOO_COMPLEX", at, `the expression is too complex: ${error.summary}`, "split it");
    }
    return finding("SYNTAX_ERROR", at, lowerFirst(error.summary), syntaxRemedy(source, at));
  }
}

function syntaxRemedy(source: string, at: number): string {
  const rest = source.slice(at);
  if (/^=[^=]/.test(rest)) return "compare with ==";
  if (/^\s*(?:and|or|not)\b/i.test(rest)) return "write &&, || and !";
  if (rest.trim() === "") return "the expression ends too early";
  return "see CEL's syntax: event.field > 5 && event.name == 'x'";
}

function explain(error: Error | undefined, environment: CelEnvironment, finding: MakeFinding): CelFinding {
  if (!(error instanceof CheckError)) {
    const message =
      error instanceof RangeError ? "the expression is nested too deep" : (error?.message ?? "invalid");
    return finding("TOO_COMPLEX", 0, message, "make it simpler");
  }
  const node = error.node as unknown as Node | undefined;
  const at =
    node?.op === "." ? node.end - String((node.args as unknown[])[1]).length : (error.range?.start ?? 0);
  const summary = lowerFirst(error.summary);
  switch (error.code) {
    case "no_such_key":
      return unknownField(node, at, environment, finding);
    case "unknown_variable": {
      const name = String(node?.args);
      const near = nearestName(name, environment.variables.keys());
      const known = [...environment.variables.keys()].join(", ");
      const field = fieldNamed(name, environment);
      const remedy = field ?? (near === undefined ? `use one of ${known}` : `did you mean ${near}?`);
      return finding("UNKNOWN_VARIABLE", at, `there is no variable ${name}`, remedy);
    }
    case "no_matching_overload":
      return unknownFunction(node, at, summary, environment, finding);
    default:
      return finding("TYPE_MISMATCH", at, summary, typeRemedy(summary));
  }
}

/** `delay` where `event.delay` was meant. */
function fieldNamed(name: string, environment: CelEnvironment): string | undefined {
  for (const [variable, type] of environment.variables) {
    if (type.kind === "object" && type.fields.has(name)) return `did you mean ${variable}.${name}?`;
  }
  return undefined;
}

function unknownField(
  node: Node | undefined,
  at: number,
  environment: CelEnvironment,
  finding: MakeFinding,
): CelFinding {
  const [left, right] = (node?.args ?? []) as [Node?, (Node | string)?];
  const field = String(typeof right === "object" ? right.args : right);
  const type = environment.typed.objects.get(left?.checkedType?.name ?? "");
  return missingField(field, type, at, finding);
}

function missingField(
  field: string,
  type: (CelType & { kind: "object" }) | undefined,
  at: number,
  finding: MakeFinding,
): CelFinding {
  const known = [...(type?.fields.keys() ?? [])];
  const near = nearestName(field, known);
  const remedy = near !== undefined ? `did you mean ${near}?` : `known fields: ${shortList(known)}`;
  return finding(
    "UNKNOWN_FIELD",
    at,
    `${type?.path ?? "the value"} has no field ${JSON.stringify(field)}`,
    remedy,
  );
}

function shortList(names: readonly string[]): string {
  if (names.length === 0) return "none";
  return names.length > 10 ? `${names.slice(0, 10).join(", ")}, …` : names.join(", ");
}

function unknownFunction(
  node: Node | undefined,
  at: number,
  summary: string,
  environment: CelEnvironment,
  finding: MakeFinding,
): CelFinding {
  const name = String((node?.args as unknown[] | undefined)?.[0]);
  const { functions } = environment.typed.environment.getDefinitions();
  const isMethod = node?.op === "rcall";
  const same = functions.filter((one) => one.name === name && (one.receiverType !== null) === isMethod);
  if (same.length > 0) {
    const signatures = same.map((one) => one.signature.replace(/: [^:]*$/, "").replaceAll(REPLACED, ""));
    return finding(
      "TYPE_MISMATCH",
      at,
      summary,
      `it exists as ${shortList([...new Set(signatures)].map(plain))}`,
    );
  }
  const names = functions.filter((one) => (one.receiverType !== null) === isMethod).map((one) => one.name);
  const near = nearestName(name, names.map(plain));
  const remedy = near === undefined ? "see CEL's standard functions" : `did you mean ${near}?`;
  return finding(
    "UNKNOWN_FUNCTION",
    at,
    `there is no ${isMethod ? "method" : "function"} ${plain(name)}`,
    remedy,
  );
}

function plain(name: string): string {
  return name.replaceAll(REPLACED, "").replaceAll("google.protobuf.", "");
}

function typeRemedy(summary: string): string {
  if (summary.includes("list index")) return "convert the index with int()";
  if (summary.includes("no such overload") && summary.includes("string")) {
    return "convert one side with string() or double()";
  }
  if (summary.includes("bool")) return "compare with something, so that it is true or false";
  return "convert with string(), double(), int() or dyn()";
}

/** What the library does not look at. */
function* checkNodes(root: Node, environment: CelEnvironment, finding: MakeFinding): Generator<CelFinding> {
  for (const node of nodesOf(root)) {
    const args = node.args as readonly unknown[];
    if (node.op === "call" && args[0] === "has") yield* checkHas(node, environment, finding);
    if (node.op === "call" || node.op === "rcall") yield* checkLiteralArgument(node, finding);
    if (node.op === "[]") yield* checkKey(node, finding);
    if (node.op === "map") yield* checkMapNames(node, finding);
  }
}

/** `has(event.nope)` is false for ever. */
function* checkHas(node: Node, environment: CelEnvironment, finding: MakeFinding): Generator<CelFinding> {
  const chain: Node[] = [];
  let at = (node.args as [string, Node[]])[1][0];
  while (at?.op === ".") {
    chain.unshift(at);
    at = (at.args as [Node, string])[0];
  }
  if (at?.op !== "id") return;
  let type = environment.typed.objects.get(at.checkedType?.name ?? "") as CelType | undefined;
  for (const step of chain) {
    if (type?.kind !== "object") return;
    const name = (step.args as [Node, string])[1];
    const field: CelType | undefined = type.fields.get(name);
    if (field === undefined) {
      yield missingField(name, type, step.end - name.length, finding);
      return;
    }
    type = field;
  }
}

const literals: Readonly<Record<string, (text: string) => unknown>> = {
  [`${REPLACED}matches`]: createRegExp,
  matches: createRegExp,
  [`${REPLACED}timestamp`]: parseTimestamp,
  [`${REPLACED}duration`]: parseDuration,
};

function* checkLiteralArgument(node: Node, finding: MakeFinding): Generator<CelFinding> {
  const args = node.args as readonly unknown[];
  const parse = Object.hasOwn(literals, String(args[0])) ? literals[String(args[0])] : undefined;
  const last = (args.at(-1) as readonly Node[]).at(-1);
  if (parse === undefined || last?.op !== "value" || typeof last.args !== "string") return;
  try {
    parse(last.args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    yield finding("BAD_LITERAL", last.start, message, "correct the text");
  }
}

function* checkKey(node: Node, finding: MakeFinding): Generator<CelFinding> {
  const [left, right] = node.args as [Node, Node];
  const key = right.checkedType;
  if (left.checkedType?.kind !== "map" || key === undefined || key.kind === "dyn" || key.name === "string")
    return;
  yield finding(
    "TYPE_MISMATCH",
    right.start,
    `the key is ${key.name}, keys are string`,
    "convert it with string()",
  );
}

const lostNames = new Set(["__proto__", "constructor", "prototype"]);

function* checkMapNames(node: Node, finding: MakeFinding): Generator<CelFinding> {
  for (const [name] of node.args as readonly (readonly [Node, Node])[]) {
    if (name.op !== "value" || !lostNames.has(String(name.args))) continue;
    yield finding(
      "BAD_LITERAL",
      name.start,
      `the name ${String(name.args)} is not allowed here`,
      "take another name",
    );
  }
}

/** The library's name of a type → ours. */
function typeOfName(name: string, environment: CelEnvironment): CelType {
  const object = environment.typed.objects.get(name);
  if (object !== undefined) return object;
  const inner = /^(list|map)<(?:string, )?(.+)>$/.exec(name);
  if (inner !== null)
    return { kind: inner[1] as "list" | "map", of: typeOfName(inner[2] ?? "dyn", environment) };
  switch (name) {
    case "bool":
    case "string":
    case "double":
    case "null":
      return { kind: name };
    case "int":
    case "uint":
      return { kind: "double" };
    case "bytes":
    case "type":
    case "google.protobuf.Timestamp":
    case "google.protobuf.Duration":
      return { kind: "string" };
    case "list":
    case "map":
      return { kind: name, of: { kind: "dyn" } };
    default:
      return { kind: "dyn" };
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
