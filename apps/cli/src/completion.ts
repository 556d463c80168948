/** Completion scripts for verbs and their sub-verbs, made from the program itself. */
import type { Command } from "commander";
import { CliError, EXIT } from "./cli-error.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

function verbs(program: Command): Map<string, string[]> {
  return new Map(
    program.commands.map((command) => [command.name(), command.commands.map((sub) => sub.name())]),
  );
}

export function completionScript(shell: string, program: Command): string {
  const all = verbs(program);
  const names = [...all.keys()].join(" ");
  const subs = [...all].filter(([, sub]) => sub.length > 0);
  switch (shell) {
    case "bash":
    case "zsh": {
      const cases = subs.map(([verb, sub]) => `    ${verb}) words="${sub.join(" ")}" ;;`).join("\n");
      const head = shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "";
      return `${head}# greco completion ${shell}: source it, or put it where your shell looks for completions
_greco() {
  local words="${names}"
  if [ "$COMP_CWORD" -gt 1 ]; then case "\${COMP_WORDS[1]}" in
${cases}
    *) words="" ;;
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _greco greco
`;
    }
    case "fish":
      return `# greco completion fish: save it as ~/.config/fish/completions/greco.fish
complete -c greco -n __fish_use_subcommand -f -a "${names}"
${subs.map(([verb, sub]) => `complete -c greco -n "__fish_seen_subcommand_from ${verb}" -f -a "${sub.join(" ")}"`).join("\n")}
`;
    default:
      throw new CliError(`completion knows ${SHELLS.join(", ")}; got '${shell}'`, undefined, EXIT.usage);
  }
}
