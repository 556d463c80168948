// `greco`: the command line. Data on stdout, everything else on stderr; exit codes 0, 1, and 2 for "differs".
import { Command, CommanderError } from "commander";
import { CliError, describeError, EXIT } from "./cli-error.ts";
import { addCommitCommands } from "./commands/commit.ts";
import { addDraftCommands } from "./commands/draft.ts";
import { addEntityCommands } from "./commands/entity.ts";
import { addHelpCommands } from "./commands/help.ts";
import { addModelCommands } from "./commands/model.ts";
import { addStreamCommands } from "./commands/stream.ts";
import { createRunner } from "./context.ts";

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
// A reader that has seen enough (`| head`) closes the pipe; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT.ok);
});

function createProgram(): Command {
  const program = new Command("greco");
  program
    .description(
      "One versioned, vetoable change of the configuration of many runtimes, in effect at an exact message.",
    )
    .usage("<verb> [options]")
    .option("-m, --model <name>", "the model (GRECO_MODEL)")
    .option("-o, --output <format>", "table | json | jsonl | yaml", "table")
    .option(
      "--data <dir>",
      "folder of `greco dev` with connection.json and tokens (GRECO_DATA, default ~/.greco/dev)",
    )
    .option("--as <person>", "viewer | editor | releaser | admin: whose token of `greco dev` (default admin)")
    .option("--token-file <file>", "a token (GRECO_TOKEN)")
    .option("--registry <address>", "host:port (GRECO_REGISTRY)")
    .option("--coordinator <address>", "host:port (GRECO_COORDINATOR)")
    .option("--ingress <address>", "host:port (GRECO_INGRESS)")
    .option("--timeout <time>", "for each call", "30s")
    .option("--no-color", "no colours (NO_COLOR)")
    .showSuggestionAfterError(true)
    .showHelpAfterError("(greco --help shows all verbs, greco VERB --help one)")
    .exitOverride()
    .configureHelp({ showGlobalOptions: false });
  const runner = createRunner(stop.signal, (code) => (process.exitCode = code));
  addModelCommands(program, runner);
  addEntityCommands(program, runner);
  addDraftCommands(program, runner);
  addCommitCommands(program, runner);
  addStreamCommands(program, runner);
  addHelpCommands(program, runner);
  program
    .command("dev")
    .description("starts everything in one process (greco dev --help)")
    .action(() => {
      throw new CliError("`greco dev` is started by the `greco` launcher", "run bin/greco.mjs dev");
    });
  return program;
}

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else if (stop.signal.aborted) process.exitCode = 130;
  else {
    for (const line of describeError(error)) process.stderr.write(`${line}\n`);
    process.exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}
