/** What every command is handed: its clients, its output, its model, and a signal that Ctrl-C aborts. */
import type { Command } from "commander";
import { CliError } from "./cli-error.ts";
import { type Clients, type ConnectionFlags, openClients } from "./connection.ts";
import { given } from "./given.ts";
import { entityResourceOf, modelResourceOf, resourceOf } from "./names.ts";
import { Output, parseFormat } from "./output.ts";

export type GlobalFlags = ConnectionFlags & {
  readonly model?: string;
  readonly output: string;
  readonly color: boolean;
};

export type Collection = "drafts" | "proposals" | "kinds" | "streams";

export type Context = {
  readonly flags: GlobalFlags;
  readonly output: Output;
  readonly signal: AbortSignal;
  clients(): Promise<Clients>;
  /** `models/m`, from --model or GRECO_MODEL; undefined: none was given. */
  readonly model: string | undefined;
  /** As `model`; an error when none was given. */
  parent(): string;
  /** `late` → `models/m/drafts/late`; a full name needs no --model. */
  resource(collection: Collection, text: string): string;
  entity(text: string): string;
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

function parentOf(model: string | undefined): string {
  if (model === undefined)
    throw new CliError("which model?", "give --model NAME or GRECO_MODEL; `greco model list` shows them");
  return modelResourceOf(model);
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
        const model = given(flags.model) ?? given(process.env["GRECO_MODEL"]);
        const parent = (): string => parentOf(model);
        await using stack = new AsyncDisposableStack();
        let clients: Promise<Clients> | undefined;
        const context: Context = {
          flags,
          // https://no-color.org
          output: new Output(
            parseFormat(flags.output),
            flags.color && given(process.env["NO_COLOR"]) === undefined,
          ),
          signal,
          clients: () => (clients ??= openClients(flags, stack)),
          model: model === undefined ? undefined : modelResourceOf(model),
          parent,
          resource: (collection, text) =>
            text.startsWith("models/") ? text : resourceOf(parent(), collection, text),
          entity: (text) => entityResourceOf(text.startsWith("models/") ? "" : parent(), text),
          exit,
        };
        await body(context, options as never, ...(args as never));
      },
  };
}
