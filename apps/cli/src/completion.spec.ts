import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { completionScript, SHELLS } from "./completion.ts";
import { createProgram } from "./program.ts";

const program = createProgram(new AbortController().signal, () => undefined);
const script = (shell: string): string => completionScript(shell, program);

const has = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;

/** What bash would offer behind these words; the last one is being typed. */
function offered(...words: string[]): string[] {
  const typed = ["greco", ...words].map((word) => `'${word}'`).join(" ");
  const ask = `${script("bash")}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _greco; echo "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", ask], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.trim().split(" ");
}

describe("completion", () => {
  it.each(SHELLS.filter(has))("is a script that %s can read", (shell) => {
    const file = join(mkdtempSync(join(tmpdir(), "greco-completion-")), "script");
    writeFileSync(file, script(shell));
    const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
    rmSync(dirname(file), { recursive: true });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
  it("offers verbs, sub-verbs and options, wherever the options for all verbs stand", () => {
    expect(offered("")).toEqual(expect.arrayContaining(["draft", "make-it-so", "doctor"]));
    expect(offered("ma")).toEqual(["make-it-so"]);
    expect(offered("draft", "")).toEqual(expect.arrayContaining(["apply", "rebase"]));
    expect(offered("--model", "draft", "-o", "json", "draft", "reb")).toEqual(["rebase"]);
    expect(offered("draft", "apply", "x", "--p")).toEqual(["--prune"]);
    expect(offered("draft", "apply", "x", "--mo")).toEqual(["--model"]);
  });
  it("offers the values of options and arguments that have a fixed set", () => {
    expect(offered("list", "-o", "")).toEqual(["table", "json", "jsonl", "yaml"]);
    expect(offered("--as", "r")).toEqual(["releaser"]);
    expect(offered("completion", "z")).toEqual(["zsh"]);
  });
  it("knows every verb in every shell", () => {
    for (const shell of SHELLS)
      for (const { commands } of [program, ...program.commands])
        for (const command of commands) expect(script(shell)).toContain(command.name());
  });
});
