/** What every command is handed: its clients, its output, its model, and a signal that Ctrl-C aborts. */
import type { Command } from "commander";
import { isSegment } from "@greco/domain/model";
import { CliError, EXIT } from "./cli-error.ts";
import { type Clients, type ConnectionFlags, openClients } from "./connection.ts";
import { Output, parseFormat } from "./output.ts";

export type GlobalFlags = ConnectionFlags & {
  readonly model?: string;
  readonly output: string;
  readonly color: boolean;
};

export type Context = {
  readonly flags: GlobalFlags;
  readonly output: Output;
  readonly signal: AbortSignal;
  clients(): Promise<Clients>;
  /** `models/m`, from --model or GRECO_MODEL. */
  parent(): string;
  exit(code: number): void;
};

export type Run<A extends readonly unknown[], O> = (
  context: Context,
  options: O,
  ...args: A
) => Promise<void>;

export type Runner = {
  /** Wraps a command's function for commander. */
  run<A extends readonly unknown[], O>(body: Run<A, O>): (...args: unknown[]) => Promise<void>;
};

export function parentOf(model: string | undefined): string {
  const name = (model ?? process.env["GRECO_MODEL"])?.replace(/^models\//, "");
  if (name === undefined || name === "") {
    throw new CliError(
      "which model?",
      "give --model NAME or GRECO_MODEL; `greco model list` shows them",
      EXIT.usage,
    );
  }
  if (!isSegment(name))
    throw new CliError(`a model's name matches [a-z0-9-]{1,63}; got '${name}'`, undefined, EXIT.usage);
  return `models/${name}`;
}

export function createRunner(signal: AbortSignal, exit: (code: number) => void): Runner {
  return {
    run:
      (body) =>
      async (...all) => {
        // Commander hands over the arguments, then the options, then the command.
        const command = all.at(-1) as Command;
        const options = all.at(-2);
        const args = all.slice(0, -2);
        const flags = command.optsWithGlobals<GlobalFlags>();
        const colour = flags.color && process.env["NO_COLOR"] === undefined && process.stdout.isTTY === true;
        await using stack = new AsyncDisposableStack();
        let clients: Promise<Clients> | undefined;
        const context: Context = {
          flags,
          output: new Output(parseFormat(flags.output), colour),
          signal,
          clients: () => (clients ??= openClients(flags, stack)),
          parent: () => parentOf(flags.model),
          exit,
        };
        await body(context, options as never, ...(args as never));
      },
  };
}
