// `greco`: the command line. Data on stdout, everything else on stderr; exit codes 0, 1, and 2 for "differs".
import { CommanderError } from "commander";
import { inSpan, startTracing } from "@greco/telemetry";
import manifest from "../package.json" with { type: "json" };
import { describeError, EXIT } from "./cli-error.ts";
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

const tracing = await startTracing({ service: "cli", version: manifest.version, env: process.env });
try {
  const program = createProgram(stop.signal, (code) => (process.exitCode = code));
  await inSpan(`greco ${process.argv[2] ?? ""}`.trim(), {}, () => program.parseAsync(process.argv));
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.failed;
  else if (stop.signal.aborted) process.exitCode = ended;
  else {
    for (const line of describeError(error))
      process.stderr.write(`${wrap(line, widthOfSink(process.stderr)).join("\n       ")}\n`);
    process.exitCode = EXIT.failed;
  }
} finally {
  await tracing?.[Symbol.asyncDispose]();
}
