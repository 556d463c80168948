/** The command line as a whole: every verb, and the options that all of them take, before or after the verb. */
import { Argument, Command, Option } from "commander";
import manifest from "../package.json" with { type: "json" };
import { CliError } from "./cli-error.ts";
import { addCommitCommands } from "./commands/commit.ts";
import { addConductorCommands } from "./commands/conductor.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addDraftCommands } from "./commands/draft.ts";
import { addDriftCommands } from "./commands/drift.ts";
import { addEntityCommands } from "./commands/entity.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { addHistoryCommands } from "./commands/history.ts";
import { addKindCommands } from "./commands/kind.ts";
import { addModelCommands } from "./commands/model.ts";
import { addPlanCommand } from "./commands/plan.ts";
import { addRoleCommands } from "./commands/role.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addStreamCommands } from "./commands/stream.ts";
import { addValidateCommand } from "./commands/validate.ts";
import { completionScript, SHELLS } from "./completion.ts";
import { createRunner } from "./context.ts";
import { addExamples } from "./examples.ts";
import { FORMATS } from "./output.ts";

const PEOPLE = ["viewer", "editor", "releaser", "admin"];

export function createProgram(signal: AbortSignal, exit: (code: number) => void): Command {
  const program = new Command("greco");
  program
    .description("Change the configuration of many running systems at once, in effect at an exact message.")
    .usage("[options] <verb> …")
    .option("-m, --model <name>", "the model (GRECO_MODEL)")
    .addOption(
      new Option("-o, --output <format>", "how data is written to stdout").choices(FORMATS).default("table"),
    )
    .option("--data <dir>", "folder of `greco dev` (GRECO_DATA; default ~/.greco/dev)")
    .addOption(
      new Option("--as <person>", "whose token of `greco dev` to use; default admin").choices(PEOPLE),
    )
    .option("--token-file <file>", "a token of your own (or GRECO_TOKEN)")
    .option("--registry <address>", "host:port (GRECO_REGISTRY)")
    .option("--coordinator <address>", "host:port (GRECO_COORDINATOR)")
    .option("--ingress <address>", "host:port (GRECO_INGRESS)")
    .option("--timeout <time>", "for each call, and each acknowledgement of what is published", "30s")
    .option("--no-color", "no colours (NO_COLOR)")
    .showSuggestionAfterError(true)
    .showHelpAfterError("(greco --help shows all verbs, greco VERB --help one)")
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .helpCommand(false);
  const runner = createRunner(signal, exit);
  program.commandsGroup("Look and set up:");
  addDevCommand(program);
  addModelCommands(program, runner);
  addKindCommands(program, runner);
  addRoleCommands(program, runner);
  addEntityCommands(program, runner);
  addValidateCommand(program, runner);
  program.commandsGroup("Change:");
  addDraftCommands(program, runner);
  addPlanCommand(program, runner);
  addCommitCommands(program, runner);
  addHistoryCommands(program, runner);
  program.commandsGroup("Data plane:");
  addStreamCommands(program, runner);
  addStatusCommand(program, runner);
  addConductorCommands(program, runner);
  addDriftCommands(program, runner);
  program.commandsGroup("Help:");
  addExplainCommand(program, runner);
  addDoctorCommand(program, runner);
  addCompletionCommand(program);
  addVersionCommand(program);
  addExamples(program);
  return program;
}

/** A verb and no option: some verbs have a `--version` of the model. */
function addVersionCommand(program: Command): void {
  program
    .command("version")
    .description("what this is")
    .action(() => {
      process.stdout.write(`greco ${manifest.version}, Node ${process.version}\n`);
    });
}

function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .description("a completion script; in bash: source <(greco completion bash)")
    .action((shell: string) => {
      process.stdout.write(completionScript(shell, program));
    });
}

/** The launcher starts another program for it; here it only stands in the help and in completions. */
function addDevCommand(program: Command): void {
  program
    .command("dev")
    .description("starts everything in one process (greco dev --help)")
    .option("--port-base <n>", "first of its ports; 0: free ones")
    .action(() => {
      throw new CliError("`dev` is the launcher's first word", "greco dev --data DIR");
    });
}
