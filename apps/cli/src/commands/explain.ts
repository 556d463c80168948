/** `greco explain`: what a reason or a kind means, when one does not know what to do. */
import { type Command } from "commander";
import type { JsonObject } from "@bufbuild/protobuf";
import { BUILT_IN_KINDS } from "@greco/domain/model";
import { nearestName } from "@greco/expression";
import { CliError } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { orAbsent } from "../drafts.ts";
import { REASONS } from "../reasons.ts";

export function addExplainCommand(program: Command, { run }: Runner): void {
  program
    .command("explain <what>")
    .description("an error's or finding's reason (STALE_ETAG), or a kind of entity (query)")
    .action(run<[string], unknown>(explain));
}

async function explain(context: Context, _options: unknown, what: string): Promise<void> {
  const name = what.toUpperCase().replaceAll("-", "_");
  const reason = REASONS[name];
  if (reason !== undefined) {
    context.output.one(
      reason,
      ({ means, next }) => [
        ["reason", name],
        ["means", means],
        ["do", next],
      ],
      (each) => ({ reason: name, ...each }),
    );
    return;
  }
  const kind = await findKind(context, what.toLowerCase());
  if (kind !== undefined) return showKind(context, kind);
  const near =
    nearestName(
      what.toLowerCase(),
      BUILT_IN_KINDS.map(({ id }) => String(id)),
    ) ?? nearestName(name, Object.keys(REASONS));
  const where = context.model === undefined ? "" : ` of ${context.model}`;
  throw new CliError(
    `'${what}' is no reason, and no kind${where}`,
    near === undefined ? "an error's last line says which reason to explain" : `did you mean ${near}?`,
  );
}

type Explained = { readonly name: string; readonly schema: JsonObject };

/** A kind of the model, when one is given; the built-in kinds are the same everywhere. */
async function findKind(context: Context, id: string): Promise<Explained | undefined> {
  const builtIn = BUILT_IN_KINDS.find((each) => each.id === id);
  if (builtIn !== undefined) return { name: builtIn.displayName, schema: builtIn.schema as JsonObject };
  if (context.model === undefined || !/^[a-z0-9-]{1,63}$/.test(id)) return undefined;
  const { registry } = await context.clients();
  const found = await orAbsent(
    registry.getKind({ name: context.resource("kinds", id) }, { signal: context.signal }),
  );
  if (found === undefined) return undefined;
  return {
    name: found.displayName,
    schema: JSON.parse(found.schemaJson === "" ? "{}" : found.schemaJson) as JsonObject,
  };
}

type Field = {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
};

export function fieldsOf(schema: JsonObject): Field[] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, { type?: unknown; enum?: readonly unknown[]; description?: string }>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, field]) => ({
    name,
    type: typeText(field),
    required: required.includes(name),
    description: field.description ?? "",
  }));
}

function typeText(field: { readonly type?: unknown; readonly enum?: readonly unknown[] }): string {
  if (field.enum !== undefined) return field.enum.map(String).join(" | ");
  if (Array.isArray(field.type)) return field.type.join(" | ");
  return typeof field.type === "string" ? field.type : "any";
}

function showKind({ output }: Context, { name, schema }: Explained): void {
  const fields = fieldsOf(schema);
  const description = typeof schema["description"] === "string" ? schema["description"] : "";
  if (!output.isTable) return output.value({ kind: name, description, fields });
  output.line(`${name}: ${description === "" ? "a kind of this model" : description}`);
  output.line("");
  output.list(
    fields,
    [
      { title: "field", value: (each) => each.name },
      { title: "type", value: (each) => each.type },
      { title: "", value: (each) => (each.required ? "required" : "") },
      { title: "what it is", value: (each) => each.description, prose: true },
    ],
    () => null,
    "its schema names no fields",
  );
}
