/** Completion scripts for verbs, their sub-verbs and options, made from the program itself. */
import type { Command, Option } from "commander";
import { CliError } from "./cli-error.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

type Choices = { readonly flags: readonly string[]; readonly words: readonly string[] };
type Verb = {
  /** `draft apply`; empty: the program. */
  readonly path: string;
  readonly description: string;
  readonly words: readonly string[];
  readonly options: readonly Option[];
};

function verbsOf(command: Command, path = ""): Verb[] {
  const inner = command.commands.flatMap((each) => verbsOf(each, `${path} ${each.name()}`.trim()));
  const arguments_ = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const own: Verb = {
    path,
    description: command.description(),
    words: [...command.commands.map((each) => each.name()), ...arguments_],
    options: command.options,
  };
  return [own, ...inner];
}

const flagsOf = (option: Option): string[] =>
  [option.short, option.long].filter((flag) => flag !== undefined);
const takesValue = (option: Option): boolean => option.required || option.optional;
const unique = (words: readonly string[]): string[] => [...new Set(words)].sort();

/** Values of options that have a fixed set of them; the same name means the same in every verb. */
function choicesOf(verbs: readonly Verb[]): Choices[] {
  const byFlags = new Map<string, Choices>();
  for (const option of verbs.flatMap(({ options }) => options))
    if (option.argChoices !== undefined)
      byFlags.set(flagsOf(option).join("|"), { flags: flagsOf(option), words: option.argChoices });
  return [...byFlags.values()];
}

export function completionScript(shell: string, program: Command): string {
  const verbs = verbsOf(program);
  switch (shell) {
    case "bash":
      return bash(verbs, "bash", "");
    case "zsh":
      return bash(
        verbs,
        "zsh",
        "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n",
      );
    case "fish":
      return fish(verbs);
    default:
      throw new CliError(`completion knows ${SHELLS.join(", ")}; got '${shell}'`, "give one of them");
  }
}

function bash(verbs: readonly Verb[], shell: string, head: string): string {
  const all = verbs.flatMap(({ options }) => options);
  const choices = choicesOf(verbs);
  const chosen = new Set(choices.flatMap(({ flags }) => flags));
  const free = unique(all.filter(takesValue).flatMap(flagsOf)).filter((flag) => !chosen.has(flag));
  const [top, ...rest] = verbs;
  const wordsOf = (verb: Verb | undefined): string =>
    [...(verb?.words ?? []), ...unique((verb?.options ?? []).flatMap((each) => each.long ?? []))].join(" ");
  return `${head}# greco completion ${shell}: source it, or put it where your shell looks for completions
_greco() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" verb="" words="" i
  case "$previous" in
${choices.map(({ flags, words }) => `    ${flags.join("|")}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")); return ;;`).join("\n")}
    ${free.join("|")}) COMPREPLY=(); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${[...chosen, ...free].join("|")}) ((i++)) ;;
      -*) ;;
      *) case "\${verb:+$verb }\${COMP_WORDS[i]}" in
           ${rest.map(({ path }) => `"${path}"`).join("|")}) verb="\${verb:+$verb }\${COMP_WORDS[i]}" ;;
         esac ;;
    esac
  done
  case "$verb" in
    "") words="${wordsOf(top)}" ;;
${rest.map((verb) => `    "${verb.path}") words="${wordsOf(verb)}" ;;`).join("\n")}
  esac
  if [[ "$current" == -* ]]; then words="$words ${unique((top?.options ?? []).flatMap((each) => each.long ?? [])).join(" ")}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _greco greco
`;
}

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function fishOption(condition: string, option: Option): string {
  const flags = [
    option.short === undefined ? "" : `-s ${option.short.replace(/^-/, "")}`,
    option.long === undefined ? "" : `-l ${option.long.replace(/^--/, "")}`,
  ].filter((flag) => flag !== "");
  const value =
    option.argChoices === undefined
      ? takesValue(option)
        ? " -r"
        : ""
      : ` -x -a ${quoted(option.argChoices.join(" "))}`;
  return `complete -c greco${condition} ${flags.join(" ")}${value} -d ${quoted(option.description)}`;
}

function fish(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap(({ path, words, options }) => {
    const parts = path.split(" ").filter((part) => part !== "");
    const seen = parts.map((part) => `__fish_seen_subcommand_from ${part}`).join("; and ");
    const unseen = words.length === 0 ? "" : `not __fish_seen_subcommand_from ${words.join(" ")}`;
    const condition = (text: string): string => (text === "" ? "" : ` -n ${quoted(text)}`);
    const descriptions = words.map((word) => {
      const inner = verbs.find((each) => each.path === [...parts, word].join(" "));
      const when = path === "" ? "__fish_use_subcommand" : `${seen}; and ${unseen}`;
      return `complete -c greco -f${condition(when)} -a ${word} -d ${quoted(inner?.description ?? "")}`;
    });
    return [...descriptions, ...options.map((option) => fishOption(condition(seen), option))];
  });
  return `# greco completion fish: save it as ~/.config/fish/completions/greco.fish\n${lines.join("\n")}\n`;
}
