/**
 * An executor whose programs follow from their contents alone, and which remembers what it was asked: `a.v2(m5)#0` is
 * the first output of version 2 of query a for the input `m5`. Inputs ask for more by their text: `m5!3` for three
 * outputs, `m5!0` for none, `m5!bad` for a failure, `m5!busy` for one that a later attempt may heal.
 */
import type { Invocation, Outcome, Program } from "@greco/ports";
import type { Executor } from "../program-pool.ts";

export type ScriptedHost = Executor & {
  /** Each call: the program's text and its inputs, in the order in which they came. */
  readonly calls: { readonly program: string; readonly inputs: readonly string[] }[];
  readonly loads: string[];
  readonly unloads: string[];
  /** Waits before it answers. */
  delay: (program: string, signal: AbortSignal) => Promise<void>;
  /** Whether the host as a whole fails now. */
  broken: () => boolean;
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** `a.v2`, or `a.v2+t.v3` with the tables that it uses. */
export function programText({ query, tables }: Pick<Program, "query" | "tables">): string {
  const { name, v } = JSON.parse(query) as { name: string; v: number };
  const used = Object.entries(tables).map(
    ([table, content]) => `+${table}.v${(JSON.parse(content) as { v: number }).v}`,
  );
  return [`${name}.v${v}`, ...used].join("");
}

/** What `program` makes of an input: the outputs' texts, or why it fails. */
export function evaluate(program: string, input: string): readonly string[] | { readonly failed: string } {
  const [, wish] = /!(\w+)\)*(?:#\d+)?\)*/.exec(input) ?? [];
  if (wish === "bad" || wish === "busy") return { failed: wish };
  const count = wish === undefined ? 1 : Number(wish);
  // Only the first hop multiplies: what comes from another query is passed on one by one.
  const outputs = input.includes("(") ? 1 : count;
  return Array.from({ length: outputs }, (_, index) => `${program}(${input})#${index}`);
}

export function scriptedHost(): ScriptedHost {
  const programs = new Map<string, string>();
  const host: ScriptedHost = {
    calls: [],
    loads: [],
    unloads: [],
    delay: () => Promise.resolve(),
    broken: () => false,
    load(program: Program) {
      programs.set(program.id, programText(program));
      host.loads.push(programText(program));
      return Promise.resolve();
    },
    async invoke(programId: string, invocations: readonly Invocation[], signal: AbortSignal) {
      const program = programs.get(programId);
      if (program === undefined) throw new Error(`program ${programId} is not loaded`);
      if (host.broken()) throw new Error("the host is broken");
      const inputs = invocations.map(({ payload }) => decoder.decode(payload));
      host.calls.push({ program, inputs });
      await host.delay(program, signal);
      return inputs.map((input, index): Outcome => {
        const made = evaluate(program, input);
        const key = invocations[index]?.key ?? "";
        if ("failed" in made)
          return {
            type: "failed",
            reason: made.failed.toUpperCase(),
            message: input,
            retryable: made.failed === "busy",
          };
        return { type: "outputs", outputs: made.map((text) => ({ key, payload: encoder.encode(text) })) };
      });
    },
    unload(programId: string) {
      const program = programs.get(programId);
      if (program !== undefined) host.unloads.push(program);
      programs.delete(programId);
    },
  };
  return host;
}
