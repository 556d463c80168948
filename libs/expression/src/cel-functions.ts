/** Functions of expressions that are ours: those that replace one of the library, and `math`. */
import { spend } from "./cel-budget.ts";
import { Duration, type Environment } from "./cel-library.ts";
import { parseDuration, parseTimestamp, timeField, timeFields, timestampOfSeconds } from "./cel-time.ts";
import { CEL_RESULT_MAX } from "./limits.ts";
import { createRegExp, type SafeRegExp } from "./regexp.ts";

/** What is put before the name of a call that ours replaces. */
export const REPLACED = "greco_";

/** `call:<name>:<arguments>` of a function, `rcall:…` of a method. */
export const replacedFunctions: ReadonlySet<string> = new Set([
  "rcall:matches:1",
  "rcall:join:0",
  "rcall:join:1",
  "call:timestamp:1",
  "call:duration:1",
  "rcall:getDayOfYear:0",
  ...timeFields.map((field) => `rcall:${field}:1`),
]);

const patterns = new Map<string, SafeRegExp>();
const patternsMax = 200;

/** A pattern may come from a message: it is compiled once, and only so many are kept. */
function patternOf(source: string): SafeRegExp {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  const pattern = createRegExp(source);
  if (patterns.size >= patternsMax) patterns.clear();
  patterns.set(source, pattern);
  return pattern;
}

function matches(text: string, pattern: string): boolean {
  spend(1 + Math.floor(text.length / 256));
  return patternOf(pattern).test(text);
}

function join(items: Iterable<unknown>, separator = ""): string {
  const texts: string[] = [];
  let length = 0;
  for (const item of items) {
    if (typeof item !== "string") throw new Error("join: the list must hold only texts");
    texts.push(item);
    length += item.length + separator.length;
    if (length > CEL_RESULT_MAX) throw new Error(`join: makes more than ${CEL_RESULT_MAX} characters`);
  }
  return texts.join(separator);
}

function durationOf(text: string): Duration {
  const nanos = parseDuration(text);
  return new Duration(nanos / 1_000_000_000n, Number(nanos % 1_000_000_000n));
}

class MathNamespace {}

const ofOne: Readonly<Record<string, (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  abs: Math.abs,
  sqrt: Math.sqrt,
  // Halves away from zero, as CEL's own extension does.
  round: (x) => Math.sign(x) * Math.round(Math.abs(x)),
};
const ofTwo: Readonly<Record<string, (x: number, y: number) => number>> = { min: Math.min, max: Math.max };

export function registerFunctions(environment: Environment): void {
  const timestamp = "google.protobuf.Timestamp";
  const duration = "google.protobuf.Duration";
  const register = (signature: string, handler: (...args: never[]) => unknown): void => {
    environment.registerFunction(signature, handler as (...args: unknown[]) => unknown, { async: false });
  };
  register(`string.${REPLACED}matches(string): bool`, matches);
  register("matches(string, string): bool", matches);
  register(`list<string>.${REPLACED}join(): string`, (items: Iterable<unknown>) => join(items));
  register(`list<string>.${REPLACED}join(string): string`, join);
  register(`${REPLACED}timestamp(string): ${timestamp}`, parseTimestamp);
  register(`${REPLACED}timestamp(double): ${timestamp}`, timestampOfSeconds);
  register(`${REPLACED}timestamp(int): ${timestamp}`, (seconds: bigint) =>
    timestampOfSeconds(Number(seconds)),
  );
  register(`${REPLACED}duration(string): ${duration}`, durationOf);
  register(`string(${timestamp}): string`, (time: Date) => time.toISOString());
  register(`string(${duration}): string`, (length: Duration) => length.toString());
  register(`${timestamp}.${REPLACED}getDayOfYear(): int`, (time: Date) => timeField(time, "getDayOfYear"));
  for (const field of timeFields) {
    register(`${timestamp}.${REPLACED}${field}(string): int`, (time: Date, zone: string) =>
      timeField(time, field, zone),
    );
  }
  environment.registerType("MathNamespace", MathNamespace);
  environment.registerConstant("math", "MathNamespace", new MathNamespace());
  for (const [name, compute] of Object.entries(ofOne)) {
    for (const type of ["double", "int"]) {
      register(`MathNamespace.${name}(${type}): double`, (_: unknown, x: number | bigint) =>
        compute(Number(x)),
      );
    }
  }
  for (const [name, compute] of Object.entries(ofTwo)) {
    for (const pair of ["double, double", "double, int", "int, double", "int, int"]) {
      register(
        `MathNamespace.${name}(${pair}): double`,
        (_: unknown, x: number | bigint, y: number | bigint) => compute(Number(x), Number(y)),
      );
    }
  }
}
