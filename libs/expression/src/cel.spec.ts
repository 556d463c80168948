import { describe, expect, it } from "vitest";
import { CelCompileError, CelError, compileCel } from "./cel.ts";
import { createCelEnvironment } from "./cel-environment.ts";
import { parseJson } from "./json.ts";

const anything = createCelEnvironment({ variables: { event: {} }, tables: { bands: {} } });

function evaluate(
  source: string,
  event: unknown = {},
  tables: ReadonlyMap<string, unknown> = new Map(),
): unknown {
  return compileCel(source, anything)({ event, tables });
}

function failure(source: string, event: unknown = {}): string {
  try {
    return `gave ${JSON.stringify(evaluate(source, event))}`;
  } catch (error) {
    if (error instanceof CelError) return `${error.reason}: ${error.message}`;
    throw error;
  }
}

describe("compileCel", () => {
  it.each([
    ["event.a + 1", { a: 2 }, 3],
    ["1 + event.a", { a: 2.5 }, 3.5],
    ["event.a / 2", { a: 5 }, 2.5],
    ["5 / 2", {}, 2],
    ["event.a % 3", { a: 7 }, 1],
    ["7 % event.a", { a: 4 }, 3],
    ["event.a == 1 && 1 == event.a && event.a != 2", { a: 1 }, true],
    ["event.a in [1, 2] && [1, event.a] == [1, 2]", { a: 2 }, true],
    ["event.a == null", { a: null }, true],
    ["event.a != null", { a: 1 }, true],
    ["null == event.a", { a: {} }, false],
    ["event.a > 1 ? event.a : null", { a: 0 }, null],
    ["has(event.a.b)", { a: {} }, false],
    ["event.list.map(x, x * 2)", { list: [1, 2] }, [2, 4]],
    ["event.list.exists(x, x > 1)", { list: [1, 2] }, true],
    ["event.m.map(k, k)", { m: { b: 1, a: 2 } }, ["b", "a"]],
    ["event", { a: [{ b: null }] }, { a: [{ b: null }] }],
    ["{'n': size(event.list), 'l': event.list + [3]}", { list: [1] }, { n: 1, l: [1, 3] }],
    ["event.list.join('-')", { list: ["a", "b"] }, "a-b"],
    ["timestamp(event.t)", { t: "2024-01-31T12:30:00+01:00" }, "2024-01-31T11:30:00.000Z"],
    ["timestamp(event.t)", { t: 1.5 }, "1970-01-01T00:00:01.500Z"],
    ["timestamp(event.t) - timestamp('2024-01-01T00:00:00Z')", { t: "2024-01-01T00:01:30Z" }, "90s"],
    ["duration('-1.5h')", {}, "-5400s"],
    ["b'abc'", {}, "YWJj"],
    ["type(event.a) == double", { a: 1 }, true],
    ["uint(5)", {}, 5],
    ["math.round(-2.5) + math.max(1, event.a)", { a: 7 }, 4],
    ["string(event.a) + '!'", { a: 0.1 }, "0.1!"],
  ])("%s", (source, event, result) => expect(evaluate(source, event)).toEqual(result));

  it("looks up tables", () => {
    const tables = new Map([["bands", new Map([["constructor", { pay: 3 }]])]]);
    expect(evaluate("tables.bands[event.k].pay", { k: "constructor" }, tables)).toBe(3);
    expect(evaluate("event.k in tables.bands", { k: "x" }, tables)).toBe(false);
    expect(evaluate("tables.bands", {}, tables)).toEqual({ constructor: { pay: 3 } });
  });

  it.each([
    ["event.a", {}, /NO_SUCH_FIELD: .*No such key: a/],
    ["event.a.b", { a: 5 }, /NO_SUCH_FIELD/],
    ["event.l[3]", { l: [1] }, /NO_SUCH_FIELD/],
    ["event.a + event.b", { a: 1, b: "x" }, /TYPE_MISMATCH: .*double \+ string/],
    ["event.a && true", { a: 1 }, /TYPE_MISMATCH/],
    ["1 / 0", {}, /DIVISION_BY_ZERO/],
    ["event.a / 0", { a: 1 }, /NOT_JSON: .*Infinity/],
    ["event.a % 0", { a: 1 }, /NOT_JSON: .*NaN/],
    ["9223372036854775807", {}, /NOT_JSON: .*string\(\)/],
    ["9223372036854775807 + 1", {}, /EVALUATION_FAILED: .*overflow/],
    ["timestamp(event.t)", { t: "2024-01-31 12:30:00.000" }, /EVALUATION_FAILED: .*time zone/],
    ["event.s.matches(event.p)", { s: "a", p: "(a" }, /EVALUATION_FAILED: .*RE2/],
    ["int(event.s)", { s: "x" }, /EVALUATION_FAILED/],
    ["[event.t].join()", { t: 5 }, /EVALUATION_FAILED: .*texts/],
  ])("%s fails on %j", (source, event, message) => expect(failure(source, event)).toMatch(message));

  it("holds the result to the type that is asked for, when it runs", () => {
    const where = compileCel("event.a", anything, { type: "bool" });
    expect(where({ event: { a: true } })).toBe(true);
    expect(() => where({ event: { a: 1 } })).toThrow("event.a: the result is double, must be bool");
  });

  it("throws findings for what cannot run", () => {
    expect(() => compileCel("event.", anything)).toThrow(CelCompileError);
    expect(() => compileCel("nope", anything)).toThrow(
      "nope: column 1: there is no variable nope; use one of event, tables",
    );
  });

  it("takes payloads with a field named constructor", () => {
    const event = parseJson(
      '{"constructor":"Ferrari","inner":{"constructor":null,"n":[{"constructor":1}]},"a":2}',
    );
    expect(evaluate("event.constructor + '!'", event)).toBe("Ferrari!");
    expect(evaluate("event.a + 1", event)).toBe(3);
    expect(evaluate("event.inner.n[0].constructor", event)).toBe(1);
    expect(evaluate("event", event)).toEqual(event);
    expect(evaluate("has(event.inner.constructor)", event)).toBe(true);
    expect(failure("event.b", event)).toMatch(/No such key: b/);
  });

  it("I15: cannot reach what is not JSON", () => {
    expect(failure("event.__proto__")).toMatch(/NO_SUCH_FIELD/);
    expect(failure("event.toString")).toMatch(/NO_SUCH_FIELD/);
    expect(failure("event.constructor")).toMatch(/NO_SUCH_FIELD/);
    expect(failure("event.a.length", { a: "x" })).toMatch(/NO_SUCH_FIELD/);
    expect(failure("event['__proto__']")).toMatch(/NO_SUCH_FIELD/);
    expect(failure("{event.k: 1}", { k: "__proto__" })).toBe("gave {}");
    expect(Object.hasOwn(Object.prototype, "a")).toBe(false);
  });

  it("I15: matches is RE2: a catastrophic pattern returns at once", () => {
    const started = performance.now();
    const text = `${"a".repeat(40)}!`;
    expect(evaluate("event.s.matches('^(a+)+$')", { s: text })).toBe(false);
    expect(evaluate("event.s.matches(event.p)", { s: text, p: "^(a|aa)+$" })).toBe(false);
    expect(evaluate("matches(event.s, '^(a+)+!$')", { s: text })).toBe(true);
    expect(evaluate("[event.s].all(s, s.matches('^(a+)+$') || s.matches('(x+x+)+y'))", { s: text })).toBe(
      false,
    );
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("I15: duration reads a long text in linear time", () => {
    const started = performance.now();
    expect(failure("duration(event.d)", { d: "1".repeat(100_000) })).toMatch(/no duration/);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("I15: loops in loops end by a budget, and no || hides it", () => {
    const list = Array.from({ length: 2_000 }, (_, index) => index);
    const started = performance.now();
    const deep = "event.list.all(a, event.list.all(b, event.list.all(c, a + b + c >= 0)))";
    expect(failure(deep, { list })).toMatch(/TOO_MANY_STEPS/);
    expect(failure(`${deep} || true`, { list })).toMatch(/TOO_MANY_STEPS/);
    expect(failure("event.list.map(a, event.list.map(b, event.list.map(c, c)))", { list })).toMatch(
      /TOO_MANY_STEPS/,
    );
    expect(
      failure("event.list.exists(a, event.list.exists(b, event.list.exists(c, c < 0)))", { list }),
    ).toMatch(/STEPS/);
    expect(evaluate("event.list.all(a, a >= 0)", { list })).toBe(true);
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  it("I15: texts and lists cannot grow without bound", () => {
    const bind = (times: number, step: string) =>
      `${`cel.bind(x, ${step}, `.repeat(times)}size(x)${")".repeat(times)}`;
    const doubled = (first: string) => `cel.bind(x, ${first}, ${bind(21, "x + x")})`;
    expect(failure(doubled("'aaaaaaaa'"))).toMatch(/TOO_MANY_STEPS: .*more than 1048576/);
    expect(failure(doubled("[1]"))).toMatch(/TOO_MANY_STEPS: .*more than 1048576/);
    const shared = `cel.bind(x, [1], ${"cel.bind(x, [x, x], ".repeat(21)}x${")".repeat(22)}`;
    expect(failure(shared)).toMatch(/NOT_JSON: .*nested|values/);
    const same = `cel.bind(x, [1], ${"cel.bind(x, [x, x], ".repeat(21)}[x] == [x]${")".repeat(22)}`;
    expect(failure(same)).toMatch(/TOO_MANY_STEPS/);
  });

  it("I6: gives the same answer whatever the machine's time zone", () => {
    const parts = (t: string) =>
      evaluate(
        `[timestamp(event.t)].map(t, [t.getFullYear(), t.getMonth(), t.getDate(), t.getDayOfYear(), t.getHours(),
          t.getHours('America/New_York'), t.getDayOfYear('Asia/Tokyo'), t.getMinutes('+05:30'), t.getDayOfWeek()])[0]`,
        { t },
      );
    // Berlin's clocks go forward in that night, and a day of its year is 23 hours long.
    expect(parts("2024-03-31T01:30:00Z")).toEqual([2024, 2, 31, 90, 1, 21, 90, 0, 0]);
    expect(parts("2024-12-31T23:59:59Z")).toEqual([2024, 11, 31, 365, 23, 18, 0, 29, 2]);
    expect(failure("timestamp(event.t).getHours('Berlin')", { t: "2024-01-01T00:00:00Z" })).toMatch(
      /no time zone/,
    );
  });

  it("evaluates again and again without keeping anything", () => {
    const sum = compileCel("event.list.map(x, x + 1).filter(x, x > 1)", anything);
    for (let round = 0; round < 3; round += 1) expect(sum({ event: { list: [0, 1, 2] } })).toEqual([2, 3]);
    const result = compileCel("event", anything)({ event: { a: [1] } }) as { a: number[] };
    result.a.push(2);
    expect(compileCel("event.a", anything)({ event: { a: [1] } })).toEqual([1]);
  });
});
