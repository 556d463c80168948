/**
 * Everything that must be done to the CEL library before others' expressions run in it.
 *
 * It has two environments. The *typed* one knows the schemas and only checks. The *running* one takes every
 * variable as `dyn`: it evaluates plain JSON objects without wrapping them. What passes the first is compiled in
 * the second.
 *
 * Functions of the library that are unsafe for others' texts (`matches` is the built-in RegExp, `duration` is
 * cubic in its text, `join` has no bound) or that read the machine's time zone are replaced: they cannot be
 * registered twice, so calls are renamed in the tree before it is checked.
 */
import { registerFunctions, replacedFunctions, REPLACED } from "./cel-functions.ts";
import { CheckError, Environment } from "./cel-library.ts";
import type { CelType } from "./cel-types.ts";
import { CEL_DEPTH_MAX, CEL_NODES_MAX } from "./limits.ts";

/** As much of the library's tree as is used here. */
export type Node = {
  readonly op: string;
  args: unknown;
  readonly start: number;
  readonly end: number;
  readonly meta: { readonly alternate?: Node; readonly macro?: unknown; evaluate: Evaluate };
  readonly checkedType?: { readonly name: string; readonly kind: string };
  left?: Node;
  right?: Node;
  handle?: (left: unknown, right: unknown, node: Node, evaluator: Evaluator) => unknown;
  setMeta(key: string, value: unknown): Node;
};
export type Evaluator = { run(node: Node, context: unknown): unknown };
export type Evaluate = (evaluator: Evaluator, node: Node, context: unknown) => unknown;

export type Parsed = {
  (context: Readonly<Record<string, unknown>>): unknown;
  readonly ast: Node;
  check(): { readonly valid: boolean; readonly type?: string; readonly error?: Error };
};

const options = {
  // JSON's lists and objects may mix types.
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: CEL_NODES_MAX, maxDepth: CEL_DEPTH_MAX },
};

/** Prefix of the library's names for our object types; messages show the path instead. */
const OBJECT = "GrecoObject";

function createBase(): Environment {
  const base = new Environment(options);
  for (const operator of ["+", "-", "*", "/"] as const) {
    base.registerOperator(`double ${operator} int: double`, arithmetic[operator]);
    base.registerOperator(`int ${operator} double: double`, arithmetic[operator]);
  }
  for (const operands of ["double % double", "double % int", "int % double"]) {
    base.registerOperator(
      `${operands}: double`,
      (a: number | bigint, b: number | bigint) => Number(a) % Number(b),
    );
  }
  base.registerOperator("double == int", (a: number, b: bigint) => a === Number(b));
  registerFunctions(base);
  return base;
}

const arithmetic = {
  "+": (a: number | bigint, b: number | bigint) => Number(a) + Number(b),
  "-": (a: number | bigint, b: number | bigint) => Number(a) - Number(b),
  "*": (a: number | bigint, b: number | bigint) => Number(a) * Number(b),
  "/": (a: number | bigint, b: number | bigint) => Number(a) / Number(b),
};

let base: Environment | undefined;

/** For evaluating: every variable is `dyn`. */
export function createRunningEnvironment(variables: Iterable<string>): Environment {
  base ??= createBase();
  const environment = base.clone();
  for (const name of variables) environment.registerVariable(name, "dyn");
  return environment;
}

/** For checking. The library's names of object types are given out by number: it keeps every name for ever. */
export function createTypedEnvironment(variables: ReadonlyMap<string, CelType>): {
  readonly environment: Environment;
  /** The object types by the library's name. */
  readonly objects: ReadonlyMap<string, CelType & { kind: "object" }>;
} {
  base ??= createBase();
  const environment = base.clone();
  // Never evaluated here; these are true of values that the running environment compares.
  environment.registerOperator("dyn == null", () => false);
  environment.registerOperator("double in list<int>", () => false);
  const objects = new Map<string, CelType & { kind: "object" }>();
  const nameOf = (type: CelType): string => {
    if (type.kind === "list") return `list<${nameOf(type.of)}>`;
    if (type.kind === "map") return `map<string, ${nameOf(type.of)}>`;
    if (type.kind !== "object") return type.kind;
    const fields: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [field, inner] of type.fields) fields[field] = nameOf(inner);
    const name = `${OBJECT}${objects.size}`;
    objects.set(name, type);
    environment.registerType(name, { fields });
    return name;
  };
  for (const [name, type] of variables) environment.registerVariable(name, nameOf(type));
  return { environment, objects };
}

/** Texts of the library with our names in them, as people should read them. */
export function readable(text: string, objects: ReadonlyMap<string, CelType & { kind: "object" }>): string {
  return text
    .replaceAll(REPLACED, "")
    .replaceAll(new RegExp(`${OBJECT}\\d+`, "g"), (name) => `object ${objects.get(name)?.path ?? name}`)
    .replaceAll("google.protobuf.", "");
}

/** Parses, and renames the calls that are replaced. Throws the library's ParseError. */
export function parseCel(environment: Environment, source: string): Parsed {
  const parsed = environment.parse(source) as unknown as Parsed;
  for (const node of nodesOf(parsed.ast)) {
    if (node.op !== "call" && node.op !== "rcall") continue;
    const args = node.args as [string, ...unknown[]];
    const count = (args[node.op === "call" ? 1 : 2] as unknown[]).length;
    if (replacedFunctions.has(`${node.op}:${args[0]}:${count}`)) args[0] = REPLACED + args[0];
  }
  return parsed;
}

/**
 * Checks; where the two branches of a condition have different types (a number or null, 1 or 2.5), the result is
 * `dyn`, as it may be in JSON.
 */
export function checkLeniently(environment: Environment, parsed: Parsed): ReturnType<Parsed["check"]> {
  for (let attempt = 0; ; attempt += 1) {
    const result = parsed.check();
    const error = result.error;
    if (!(error instanceof CheckError) || error.code !== "incompatible_ternary_branches") return result;
    const node = error.node as unknown as Node | undefined;
    if (node === undefined || attempt >= CEL_NODES_MAX) return result;
    const branches = node.args as [Node, Node, Node];
    const call = (environment.parse("dyn(null)") as unknown as Parsed).ast;
    (call.args as [string, Node[]])[1][0] = branches[2];
    branches[2] = call;
  }
}

/** Every node of the tree once, those within macros included. */
export function nodesOf(root: Node): readonly Node[] {
  const seen = new Set<object>();
  const nodes: Node[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
    } else if (isNode(value)) {
      nodes.push(value);
      visit(value.args);
      visit(value.meta.alternate);
      visit(value.meta.macro);
    } else if (Object.getPrototypeOf(value) === Object.prototype) {
      for (const item of Object.values(value)) visit(item);
    }
  };
  visit(root);
  return nodes;
}

function isNode(value: object): value is Node {
  return "op" in value && typeof value.op === "string" && "meta" in value && "setMeta" in value;
}
