/** `greco model …`, `greco kind …`, `greco role …`: what stands before any version. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { parse } from "yaml";
import {
  KindSchema,
  ModelSchema,
  type Model,
  PersonRole,
  PersonRoleSchema,
  RoleBindingSchema,
  VoterPolicy,
  VoterPolicySchema,
} from "@greco/contracts/greco/model/v1/model";
import { fromJson } from "@bufbuild/protobuf";
import { CliError, EXIT } from "../cli-error.ts";
import type { Runner } from "../context.ts";
import { PAGE_SIZE, pages, resourceOf, shortName, timeText } from "../names.ts";
import { plain } from "../output.ts";

const enumName = (
  schema: { value: Readonly<Record<number, { localName: string } | undefined>> },
  value: number,
): string => (schema.value[value]?.localName ?? "").toLowerCase().replaceAll("_", " ");

const modelFacts = (model: Model): (readonly [string, string])[] => [
  ["model", shortName(model.name)],
  ["title", model.displayName],
  ["version", String(model.headVersion)],
  ["voters", enumName(VoterPolicySchema, model.voters)],
  ["second person", model.approvalRequired ? "required" : "not required"],
  ["made", timeText(model.createTime)],
];

function parseRole(text: string): PersonRole {
  const role = {
    viewer: PersonRole.VIEWER,
    editor: PersonRole.EDITOR,
    releaser: PersonRole.RELEASER,
    admin: PersonRole.ADMIN,
  }[text];
  if (role === undefined)
    throw new CliError(`a role is viewer, editor, releaser or admin; got '${text}'`, undefined, EXIT.usage);
  return role;
}

function parseVoters(text: string): VoterPolicy {
  const policy = { all: VoterPolicy.ALL, affected: VoterPolicy.AFFECTED }[text];
  if (policy === undefined)
    throw new CliError(`--voters must be all or affected; got '${text}'`, undefined, EXIT.usage);
  return policy;
}

export function addModelCommands(program: Command, { run }: Runner): void {
  const model = program.command("model").description("models: create, list, describe, set");
  model
    .command("create <name>")
    .description("makes a model with the built-in kinds; you become its admin")
    .option("--title <text>", "how people call it", "")
    .action(
      run<[string], { title: string }>(async (context, { title }, name) => {
        const { registry } = await context.clients();
        const made = await registry.createModel(
          { modelId: name, model: { displayName: title } },
          { signal: context.signal },
        );
        context.output.one(made, modelFacts, (each) => plain(ModelSchema, each));
      }),
    );
  model
    .command("list")
    .description("models that you may view")
    .action(
      run<[], unknown>(async (context) => {
        const { registry } = await context.clients();
        const models = await pages(async (pageToken) => {
          const page = await registry.listModels(
            { pageSize: PAGE_SIZE, pageToken },
            { signal: context.signal },
          );
          return { items: page.models, next: page.nextPageToken };
        });
        context.output.list(
          models,
          [
            { title: "model", value: (each) => shortName(each.name) },
            { title: "version", value: (each) => String(each.headVersion), right: true },
            { title: "title", value: (each) => each.displayName },
          ],
          (each) => plain(ModelSchema, each),
          "no models yet: greco model create NAME",
        );
      }),
    );
  model.command("describe <name>").action(
    run<[string], unknown>(async (context, _options, name) => {
      const { registry } = await context.clients();
      const found = await registry.getModel(
        { name: name.startsWith("models/") ? name : `models/${name}` },
        { signal: context.signal },
      );
      context.output.one(found, modelFacts, (each) => plain(ModelSchema, each));
    }),
  );
  model
    .command("set <name>")
    .description("changes a model's settings")
    .option("--title <text>")
    .option("--voters <policy>", "all | affected")
    .option("--approval <yes|no>", "whether a make-it-so needs a second person")
    .action(
      run<[string], { title?: string; voters?: string; approval?: string }>(
        async (context, options, name) => {
          const { registry } = await context.clients();
          const old = await registry.getModel(
            { name: `models/${name.replace(/^models\//, "")}` },
            { signal: context.signal },
          );
          const changed = await registry.updateModel(
            {
              model: {
                name: old.name,
                etag: old.etag,
                displayName: options.title ?? old.displayName,
                voters: options.voters === undefined ? old.voters : parseVoters(options.voters),
                approvalRequired:
                  options.approval === undefined ? old.approvalRequired : options.approval === "yes",
              },
            },
            { signal: context.signal },
          );
          context.output.one(changed, modelFacts, (each) => plain(ModelSchema, each));
        },
      ),
    );

  addKindCommands(program, { run });
  addRoleCommands(program, { run });
}

async function readKind(file: string) {
  let value: unknown;
  try {
    value = parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new CliError(`${file}: ${(cause as Error).message}`);
  }
  const { schema, ...rest } = (value ?? {}) as Record<string, unknown>;
  try {
    return fromJson(KindSchema, {
      ...rest,
      ...(schema === undefined ? {} : { schemaJson: JSON.stringify(schema) }),
    });
  } catch (cause) {
    throw new CliError(
      `${file}: ${(cause as Error).message}`,
      "a kind has displayName, schema, rules, references, stream, unclaimedAllowed",
    );
  }
}

function addKindCommands(program: Command, { run }: Runner): void {
  const kind = program.command("kind").description("kinds of entities: create, update, get, list");
  kind
    .command("create <id>")
    .description("adds a kind from a YAML or JSON file: displayName, schema, rules, references")
    .requiredOption("-f, --file <file>")
    .action(
      run<[string], { file: string }>(async (context, { file }, id) => {
        const { registry } = await context.clients();
        const made = await registry.createKind(
          { parent: context.parent(), kindId: id, kind: await readKind(file) },
          { signal: context.signal },
        );
        context.output.one(
          made,
          (each) => [
            ["kind", shortName(each.name)],
            ["written", each.displayName],
          ],
          (each) => plain(KindSchema, each),
        );
      }),
    );
  kind
    .command("update <id>")
    .requiredOption("-f, --file <file>")
    .action(
      run<[string], { file: string }>(async (context, { file }, id) => {
        const { registry } = await context.clients();
        const old = await registry.getKind(
          { name: resourceOf(context.parent(), "kinds", id) },
          { signal: context.signal },
        );
        const changed = await registry.updateKind(
          { kind: { ...(await readKind(file)), name: old.name, etag: old.etag } },
          { signal: context.signal },
        );
        context.output.one(
          changed,
          (each) => [
            ["kind", shortName(each.name)],
            ["written", each.displayName],
          ],
          (each) => plain(KindSchema, each),
        );
      }),
    );
  kind.command("get <id>").action(
    run<[string], unknown>(async (context, _options, id) => {
      const { registry } = await context.clients();
      const found = await registry.getKind(
        { name: resourceOf(context.parent(), "kinds", id) },
        { signal: context.signal },
      );
      context.output.one(
        found,
        (each) => [
          ["kind", shortName(each.name)],
          ["written", each.displayName],
          ["built in", each.builtIn ? "yes" : "no"],
          [
            "refers to",
            each.references.map((reference) => `${reference.path} → ${reference.kind}`).join("\n"),
          ],
          ["rules", each.rules.map((rule) => `${rule.id}: ${rule.expression}`).join("\n")],
          ["schema", JSON.stringify(JSON.parse(each.schemaJson === "" ? "{}" : each.schemaJson), null, 2)],
        ],
        (each) => plain(KindSchema, each),
      );
    }),
  );
  kind.command("list").action(
    run<[], unknown>(async (context) => {
      const { registry } = await context.clients();
      const kinds = await pages(async (pageToken) => {
        const page = await registry.listKinds(
          { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
          { signal: context.signal },
        );
        return { items: page.kinds, next: page.nextPageToken };
      });
      context.output.list(
        kinds,
        [
          { title: "kind", value: (each) => shortName(each.name) },
          { title: "written", value: (each) => each.displayName },
          { title: "built in", value: (each) => (each.builtIn ? "yes" : "no") },
        ],
        (each) => plain(KindSchema, each),
        "no kinds",
      );
    }),
  );
}

function addRoleCommands(program: Command, { run }: Runner): void {
  const role = program.command("role").description("who may do what in a model: set, list, remove");
  role
    .command("set <subject> <role>")
    .description("viewer < editor < releaser < admin")
    .action(
      run<[string, string], unknown>(async (context, _options, subject, name) => {
        const { registry } = await context.clients();
        const set = await registry.setRoleBinding(
          { parent: context.parent(), roleBinding: { subject, role: parseRole(name) } },
          { signal: context.signal },
        );
        context.output.one(
          set,
          (each) => [
            ["subject", each.subject],
            ["role", enumName(PersonRoleSchema, each.role)],
          ],
          (each) => plain(RoleBindingSchema, each),
        );
      }),
    );
  role.command("remove <subject>").action(
    run<[string], unknown>(async (context, _options, subject) => {
      const { registry } = await context.clients();
      await registry.deleteRoleBinding(
        { name: `${context.parent()}/roleBindings/${subject}` },
        { signal: context.signal },
      );
      context.output.note(`${subject} has no role of its own any more`);
    }),
  );
  role.command("list").action(
    run<[], unknown>(async (context) => {
      const { registry } = await context.clients();
      const bindings = await pages(async (pageToken) => {
        const page = await registry.listRoleBindings(
          { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
          { signal: context.signal },
        );
        return { items: page.roleBindings, next: page.nextPageToken };
      });
      context.output.list(
        bindings,
        [
          { title: "subject", value: (each) => each.subject },
          { title: "role", value: (each) => enumName(PersonRoleSchema, each.role) },
        ],
        (each) => plain(RoleBindingSchema, each),
        "nobody has a role of their own",
      );
    }),
  );
}
