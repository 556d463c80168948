/** `greco explain | doctor | completion`: when one does not know what to do. */
import type { Command } from "commander";
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import { CliError, describeError, EXIT } from "../cli-error.ts";
import { findAddresses } from "../connection.ts";
import type { Context, Runner } from "../context.ts";
import { completionScript, SHELLS } from "../completion.ts";
import { nearest } from "../nearest.ts";
import { PAGE_SIZE, resourceOf, shortName } from "../names.ts";
import { REASONS } from "../reasons.ts";

type Diagnosis = { readonly what: string; readonly state: "ok" | "bad" | "note"; readonly detail: string };

export function addHelpCommands(program: Command, { run }: Runner): void {
  program
    .command("explain <what>")
    .description("an error's reason (STALE_ETAG), or a kind (query)")
    .action(
      run<[string], unknown>(async (context, _options, what) => {
        const reason = REASONS[what.toUpperCase().replaceAll("-", "_")];
        if (reason !== undefined) {
          const name = what.toUpperCase().replaceAll("-", "_");
          context.output.one(
            reason,
            (each) => [
              ["reason", name],
              ["means", each.means],
              ["do", each.next],
            ],
            (each) => ({ reason: name, ...each }),
          );
          return;
        }
        if (what === what.toUpperCase()) {
          throw new CliError(
            `no reason '${what}' is known`,
            `the nearest: ${nearest(what, Object.keys(REASONS)) ?? "none"}`,
          );
        }
        await explainKind(context, what.toLowerCase());
      }),
    );
  program
    .command("doctor")
    .description("looks at connections, clock, conductors and lanes, and says what to do")
    .action(
      run<[], unknown>(async (context) => {
        const found: Diagnosis[] = [];
        for await (const each of diagnose(context)) {
          found.push(each);
          if (context.output.format === "table") {
            const sign = {
              ok: context.output.paint("32", "✓"),
              bad: context.output.paint("31", "✗"),
              note: context.output.paint("33", "!"),
            }[each.state];
            context.output.raw(`${sign} ${each.what}: ${each.detail}\n`);
          }
        }
        if (context.output.format !== "table") context.output.list(found, [], (each) => each, "");
        if (found.some((each) => each.state === "bad")) context.exit(EXIT.failed);
      }),
    );
  program
    .command("completion <shell>")
    .description(`a completion script for ${SHELLS.join(", ")}`)
    .action((shell: string) => {
      process.stdout.write(completionScript(shell, program));
    });
}

async function explainKind(context: Context, id: string): Promise<void> {
  const { registry } = await context.clients();
  const kind = await registry.getKind(
    { name: resourceOf(context.parent(), "kinds", id) },
    { signal: context.signal },
  );
  const schema = JSON.parse(kind.schemaJson === "" ? "{}" : kind.schemaJson) as {
    properties?: Record<string, { type?: unknown; description?: string }>;
    required?: string[];
    description?: string;
  };
  context.output.raw(`${kind.displayName}: ${schema.description ?? "an entity kind of this model"}\n\n`);
  context.output.list(
    Object.entries(schema.properties ?? {}),
    [
      { title: "field", value: ([name]) => `${name}${schema.required?.includes(name) === true ? " *" : ""}` },
      {
        title: "type",
        value: ([, field]) =>
          typeof field.type === "string"
            ? field.type
            : Array.isArray(field.type)
              ? field.type.join(" | ")
              : "",
      },
      { title: "what it is", value: ([, field]) => field.description ?? "" },
    ],
    ([name, field]) => ({ name, ...field }) as never,
    "its schema names no fields",
  );
}

const SILENT_MS = 60_000;

async function* diagnose(context: Context): AsyncIterable<Diagnosis> {
  const { addresses } = await findAddresses(context.flags);
  const clients = await context.clients();
  const options = { signal: context.signal, timeoutMs: 5_000 };
  const attempt = async (what: string, call: () => Promise<string>): Promise<Diagnosis> => {
    try {
      return { what, state: "ok", detail: await call() };
    } catch (error) {
      return { what, state: "bad", detail: describeError(error).join("; ") };
    }
  };
  yield { what: "node", state: "ok", detail: process.version };
  yield await attempt("registry", async () => {
    const { models } = await clients.registry.listModels({ pageSize: PAGE_SIZE }, options);
    return `${addresses.registry} answers; ${models.length} models: ${models.map((each) => shortName(each.name)).join(", ")}`;
  });
  const model = context.flags.model ?? process.env["GRECO_MODEL"];
  yield await attempt("coordinator", async () => {
    const { conductors } = await clients.conductors.listConductors(
      { model: model === undefined ? "" : `models/${model}` },
      options,
    );
    return `${addresses.coordinator} answers; ${conductors.length} registrations`;
  });
  if (model === undefined) {
    yield {
      what: "model",
      state: "note",
      detail: "none given: --model NAME looks at its conductors and lanes too",
    };
    return;
  }
  const parent = context.parent();
  yield await attempt("ingress", async () => {
    const { streams } = await clients.ingress.listStreams({ parent, pageSize: PAGE_SIZE }, options);
    return `${addresses.ingress} answers; ${streams.length} streams of ${parent}`;
  });
  const { conductors } = await clients.conductors.listConductors({ model: parent }, options);
  if (conductors.length === 0)
    yield {
      what: "conductors",
      state: "bad",
      detail: "none is registered: nothing that needs a conductor can be committed",
    };
  for (const conductor of conductors) {
    const heard = conductor.lastHeardTime === undefined ? 0 : Number(conductor.lastHeardTime.seconds) * 1_000;
    const active = conductor.state === Conductor_State.ACTIVE;
    yield {
      what: shortName(conductor.name),
      state: active ? "ok" : "note",
      detail: active ? `active, incarnation ${conductor.incarnation}` : "is joining, or was deregistered",
    };
    if (heard > Date.now() + SILENT_MS)
      yield {
        what: "clock",
        state: "note",
        detail: `${shortName(conductor.name)} was heard in the future: this machine's clock is behind`,
      };
  }
  const { lanes } = await clients.ingress.listLanes({ parent, pageSize: PAGE_SIZE }, options);
  const holding = lanes.flatMap((lane) =>
    lane.readers
      .filter((reader) => reader.holding !== "")
      .map((reader) => `${reader.query} holds ${lane.lane}: ${reader.holding}`),
  );
  yield holding.length === 0
    ? { what: "lanes", state: "ok", detail: `${lanes.length} live, none is held` }
    : { what: "lanes", state: "bad", detail: holding.join("; ") };
}
