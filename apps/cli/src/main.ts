// `greco`: the command line. Data on stdout, everything else on stderr; exit codes 0, 1, and 2 for "differs".
import { CommanderError } from "commander";
import { CliError, describeError, EXIT } from "./cli-error.ts";
import { widthOfSink } from "./output.ts";
import { createProgram } from "./program.ts";
import { wrap } from "./text.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

const stop = new AbortController();
let ended = 130;
for (const [name, code] of Object.entries(SIGNALS))
  process.once(name, () => {
    ended = code;
    stop.abort(new Error(`ended by ${name}`));
  });
// A reader that has seen enough (`| head`) closes the pipe; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT.ok);
});

try {
  await createProgram(stop.signal, (code) => (process.exitCode = code)).parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else if (stop.signal.aborted) process.exitCode = ended;
  else {
    for (const line of describeError(error))
      process.stderr.write(`${wrap(line, widthOfSink(process.stderr)).join("\n       ")}\n`);
    process.exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}
