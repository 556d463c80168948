import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { createProgram } from "./program.ts";

const program = createProgram(new AbortController().signal, () => undefined);

function* all(command: Command, path = "greco"): Generator<{ path: string; command: Command }> {
  for (const each of command.commands) {
    const inner = `${path} ${each.name()}`;
    yield { path: inner, command: each };
    yield* all(each, inner);
  }
}

const commands = [...all(program)];

describe("the command line", () => {
  it("has every verb that is promised", () => {
    const promised = [
      ...["dev", "model", "kind", "get", "list", "describe", "export", "validate", "plan", "make-it-so"],
      ...["confirm", "rollback", "history", "audit", "status", "explain", "doctor", "completion", "version"],
      ...["drift", "repair"],
      ...["create", "edit", "apply", "diff", "rebase", "approve", "discard"].map((verb) => `draft ${verb}`),
      ...["get", "watch", "withdraw"].map((verb) => `proposal ${verb}`),
      ...["list", "deregister"].map((verb) => `conductor ${verb}`),
      ...["publish", "subscribe", "dead-letter"].map((verb) => `stream ${verb}`),
    ].map((verb) => `greco ${verb}`);
    expect(promised.filter((path) => !commands.some((each) => each.path === path))).toEqual([]);
  });
  it("describes each verb and option", () => {
    expect(commands.filter(({ command }) => command.description() === "").map(({ path }) => path)).toEqual(
      [],
    );
    const options = [program, ...commands.map(({ command }) => command)].flatMap((each) => each.options);
    expect(options.filter(({ description }) => description === "").map(({ flags }) => flags)).toEqual([]);
  });
  it("uses no option of a verb that stands for all verbs already", () => {
    const global = new Set(program.options.flatMap(({ short, long }) => [short, long]));
    const clashes = commands.flatMap(({ path, command }) =>
      command.options
        .filter(({ short, long }) => (short !== undefined && global.has(short)) || global.has(long))
        .map(({ flags }) => `${path} ${flags}`),
    );
    expect(clashes).toEqual([]);
  });
  it("fits its help into 80 columns", () => {
    program.configureHelp({ helpWidth: 80, showGlobalOptions: false });
    const long = program
      .helpInformation()
      .split("\n")
      .filter((line) => line.length > 80);
    expect(long).toEqual([]);
  });
});
