import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "./examples.ts";
import { createProgram } from "./program.ts";

const program = createProgram(new AbortController().signal, () => undefined);

const pathsOf = (command: Command, path = ""): string[] => [
  path,
  ...command.commands.flatMap((each) => pathsOf(each, `${path} ${each.name()}`.trim())),
];

/** What of it a shell would hand to `greco`, which stands last in each. */
function wordsOf(line: string): string[] {
  const own = line.slice(line.lastIndexOf("greco ") + "greco ".length).replace(/\)$/, "");
  return [...own.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
}

/** Undefined: commander would take it. */
function wrongWith(line: string): string | undefined {
  const words = wordsOf(line);
  let command = program;
  for (;;) {
    const inner = command.commands.find((each) => each.name() === words[0]);
    if (inner === undefined) break;
    command = inner;
    words.shift();
  }
  const options = [...command.options, ...program.options];
  let given = 0;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (!word.startsWith("-") || word === "-") {
      given += 1;
      continue;
    }
    const option = options.find(({ short, long }) => short === word || long === word);
    if (option === undefined) return `${command.name()} has no option ${word}`;
    if (option.required && words.shift() === undefined) return `${word} wants a value`;
  }
  const wanted = command.registeredArguments.filter(({ required }) => required).length;
  const most = command.registeredArguments.length;
  return given < wanted || given > most ? `${command.name()} was given ${given} arguments` : undefined;
}

describe("examples", () => {
  it("stand in the help of every verb, and of no other", () => {
    expect(Object.keys(EXAMPLES).toSorted()).toEqual(pathsOf(program).toSorted());
    expect(Object.entries(EXAMPLES).filter(([, lines]) => lines.length === 0)).toEqual([]);
  });
  it.each(Object.entries(EXAMPLES))("of greco %s can be typed", (path, lines) => {
    expect(lines.flatMap((line) => wrongWith(line) ?? [])).toEqual([]);
    expect(lines.filter((line) => !line.includes(`greco ${path}`))).toEqual([]);
    expect(lines.filter((line) => line.length > 78)).toEqual([]);
  });
});
