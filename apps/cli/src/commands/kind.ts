/** `greco kind …`: the types of entities; a file with displayName, schema, rules and references is one. */
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { parse } from "yaml";
import { type Kind, KindSchema } from "@greco/contracts/greco/model/v1/model";
import { nearestName } from "@greco/expression";
import { CliError } from "../cli-error.ts";
import type { Runner } from "../context.ts";
import { readText } from "../input.ts";
import { listKinds } from "../kinds.ts";
import type { Facts } from "../output.ts";
import { plain } from "../plain.ts";
import { shortName } from "../short-name.ts";

const FIELDS = ["displayName", "schema", "rules", "references", "stream", "unclaimedAllowed"];
/** What `kind get -o yaml` shows beside them, so that it can be edited and sent back. */
const SHOWN = ["name", "builtIn", "etag"];

const LOOKS = "`greco kind get query -o yaml` shows what a kind looks like";

async function readKind(file: string) {
  const text = await readText(file);
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new CliError(`${file}: ${(cause as Error).message}`, LOOKS);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new CliError(`${file}: a kind is an object with ${FIELDS.join(", ")}`, LOOKS);
  const odd = Object.keys(value).find((field) => ![...FIELDS, ...SHOWN].includes(field));
  if (odd !== undefined) {
    const near = nearestName(odd, FIELDS);
    throw new CliError(
      `${file}: a kind has no field '${odd}'`,
      near === undefined ? `it has ${FIELDS.join(", ")}` : `did you mean ${near}?`,
    );
  }
  const { schema, ...rest } = value as JsonObject;
  try {
    return fromJson(KindSchema, {
      ...rest,
      ...(schema === undefined ? {} : { schemaJson: JSON.stringify(schema) }),
    });
  } catch (cause) {
    throw new CliError(`${file}: ${(cause as Error).message}`, LOOKS);
  }
}

const jsonOf = (kind: Kind): JsonValue => plain(KindSchema, kind);

const kindFacts = (kind: Kind): Facts => [
  ["kind", shortName(kind.name)],
  ["written", kind.displayName],
  ["built in", kind.builtIn ? "yes" : "no"],
  ["a stream", kind.stream ? "yes" : ""],
  ["refers to", kind.references.map(({ path, kind: to }) => `${path} → ${to}`).join("\n")],
  ["rules", kind.rules.map((rule) => `${rule.id}: ${rule.expression}`).join("\n")],
  ["schema", JSON.stringify(JSON.parse(kind.schemaJson === "" ? "{}" : kind.schemaJson), null, 2)],
];

export function addKindCommands(program: Command, { run }: Runner): void {
  const kind = program.command("kind").description("kinds of entities: create, update, get, list");
  kind
    .command("create <id>")
    .description("adds a kind from a YAML or JSON file: displayName, schema, rules, references")
    .requiredOption("-f, --file <file>", "the kind (- is stdin)")
    .action(
      run<[string], { file: string }>(async (context, { file }, id) => {
        const { registry } = await context.clients();
        const made = await registry.createKind(
          { parent: context.parent(), kindId: id, kind: await readKind(file) },
          { signal: context.signal },
        );
        context.output.one(made, kindFacts, jsonOf);
      }),
    );
  kind
    .command("update <id>")
    .description("replaces a kind of your own; refused while entities would break it")
    .requiredOption("-f, --file <file>", "the whole kind (- is stdin)")
    .action(
      run<[string], { file: string }>(async (context, { file }, id) => {
        const { registry } = await context.clients();
        const wanted = await readKind(file);
        const old = await registry.getKind(
          { name: context.resource("kinds", id) },
          { signal: context.signal },
        );
        const changed = await registry.updateKind(
          { kind: { ...wanted, name: old.name, etag: old.etag } },
          { signal: context.signal },
        );
        context.output.one(changed, kindFacts, jsonOf);
      }),
    );
  kind
    .command("get <id>")
    .description("a kind's schema, rules and references")
    .action(
      run<[string], unknown>(async (context, _options, id) => {
        const { registry } = await context.clients();
        const found = await registry.getKind(
          { name: context.resource("kinds", id) },
          { signal: context.signal },
        );
        context.output.one(found, kindFacts, jsonOf);
      }),
    );
  kind
    .command("list")
    .description("all kinds of the model")
    .action(
      run<[], unknown>(async (context) => {
        context.output.list(
          [...(await listKinds(context, context.parent())).values()],
          [
            { title: "kind", value: (each) => shortName(each.name) },
            { title: "written", value: (each) => each.displayName },
            { title: "built in", value: (each) => (each.builtIn ? "yes" : "no") },
            {
              title: "refers to",
              value: (each) => [...new Set(each.references.map(({ kind: to }) => to))].join(", "),
              prose: true,
            },
          ],
          jsonOf,
          "no kinds",
        );
      }),
    );
}
