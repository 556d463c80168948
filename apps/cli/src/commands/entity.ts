/** `greco get | list | describe | export | validate`: entities as they are. */
import type { Command } from "commander";
import { EntitySchema, type Entity, type Kind } from "@greco/contracts/greco/model/v1/model";
import { formatEntity, readEntities, writeEntity } from "@greco/entity-files";
import { checkSchema } from "@greco/expression";
import { CliError, EXIT } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { entityResourceOf, PAGE_SIZE, pages, parseInteger, resourceOf, shortName } from "../names.ts";
import { plain } from "../output.ts";

type ViewFlags = { readonly version?: string; readonly draft?: string };

/** `undefined`: the head. */
export function viewOf(context: Context, flags: ViewFlags) {
  if (flags.version !== undefined && flags.draft !== undefined)
    throw new CliError("--version and --draft exclude each other", undefined, EXIT.usage);
  if (flags.version !== undefined)
    return { at: { case: "version", value: BigInt(parseInteger(flags.version, "--version")) } } as const;
  if (flags.draft !== undefined)
    return { at: { case: "draft", value: resourceOf(context.parent(), "drafts", flags.draft) } } as const;
  return { at: { case: undefined } } as const;
}

export async function listKinds(context: Context): Promise<Map<string, Kind>> {
  const { registry } = await context.clients();
  const kinds = await pages(async (pageToken) => {
    const page = await registry.listKinds(
      { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.kinds, next: page.nextPageToken };
  });
  return new Map(kinds.map((kind) => [shortName(kind.name), kind]));
}

export async function listEntities(context: Context, flags: ViewFlags, kind: string): Promise<Entity[]> {
  const { registry } = await context.clients();
  return pages(async (pageToken) => {
    const page = await registry.listEntities(
      { parent: context.parent(), view: viewOf(context, flags), kind, pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.entities, next: page.nextPageToken };
  });
}

const entityJson = (entity: Entity) => {
  const { specJson: _text, ...rest } = plain(EntitySchema, entity) as Record<string, never>;
  return { ...rest, spec: JSON.parse(entity.specJson) as never };
};

export function addEntityCommands(program: Command, { run }: Runner): void {
  const withView = (command: Command): Command =>
    command
      .option("--version <n>", "as of this version")
      .option("--draft <draft>", "as this draft would make it");

  withView(program.command("get <entity>").description("an entity as a file: kind/name")).action(
    run<[string], ViewFlags>(async (context, flags, name) => {
      const { registry } = await context.clients();
      const entity = await registry.getEntity(
        { name: entityResourceOf(context.parent(), name), view: viewOf(context, flags) },
        { signal: context.signal },
      );
      const [kind = "", id = ""] = shortName(entity.name).split("/");
      if (context.output.format === "table")
        context.output.raw(
          formatEntity(
            (await listKinds(context)).get(kind)?.displayName ?? kind,
            id,
            JSON.parse(entity.specJson),
          ),
        );
      else context.output.one(entity, () => [], entityJson);
    }),
  );
  withView(program.command("list [kind]").description("entities, all or of one kind")).action(
    run<[string | undefined], ViewFlags>(async (context, flags, kind) => {
      const entities = await listEntities(context, flags, kind?.toLowerCase() ?? "");
      context.output.list(
        entities,
        [
          { title: "entity", value: (each) => shortName(each.name) },
          { title: "created", value: (each) => `v${each.createdVersion}`, right: true },
          { title: "changed", value: (each) => `v${each.changedVersion}`, right: true },
        ],
        entityJson,
        "no entities: greco draft create, then greco draft apply -f DIR",
      );
    }),
  );
  withView(
    program.command("describe <entity>").description("an entity with its versions and who refers to it"),
  ).action(
    run<[string], ViewFlags>(async (context, flags, name) => {
      const { registry } = await context.clients();
      const resource = entityResourceOf(context.parent(), name);
      const entity = await registry.getEntity(
        { name: resource, view: viewOf(context, flags) },
        { signal: context.signal },
      );
      const [kind = "", id = ""] = shortName(entity.name).split("/");
      const kinds = await listKinds(context);
      const entities = await listEntities(context, flags, "");
      const refers = entities.filter((other) => {
        const references = kinds.get(shortName(other.name).split("/")[0] ?? "")?.references ?? [];
        return references.some(
          (reference) =>
            reference.kind === kind && valuesAt(JSON.parse(other.specJson), reference.path).includes(id),
        );
      });
      context.output.one(
        entity,
        () => [
          ["entity", shortName(entity.name)],
          ["identity", `${shortName(entity.name)}@${entity.createdVersion}`],
          ["changed in", `version ${entity.changedVersion}`],
          ["used by", refers.map((other) => shortName(other.name)).join("\n")],
          ["spec", JSON.stringify(JSON.parse(entity.specJson), null, 2)],
        ],
        entityJson,
      );
    }),
  );
  withView(
    program.command("export").description("every entity as a file, one a file, as `draft apply` reads them"),
  )
    .requiredOption("-d, --dir <dir>", "the folder to write to")
    .action(
      run<[], ViewFlags & { dir: string }>(async (context, flags) => {
        const kinds = await listKinds(context);
        const entities = await listEntities(context, flags, "");
        const paths: string[] = [];
        for (const entity of entities) {
          const [kind = "", name = ""] = shortName(entity.name).split("/");
          paths.push(
            await writeEntity(flags.dir, {
              kind,
              displayKind: kinds.get(kind)?.displayName ?? kind,
              name,
              spec: JSON.parse(entity.specJson) as unknown,
            }),
          );
        }
        context.output.list(
          paths,
          [{ title: "file", value: (each) => each }],
          (each) => each,
          "the model has no entities",
        );
      }),
    );
  program
    .command("validate")
    .description("reads entity files and checks them without any service: form, names, JSON Schemas")
    .requiredOption("-f, --file <path>", "a file or a folder")
    .action(
      run<[], { file: string }>(async (context, { file }) => {
        const entities = await readEntities(file);
        const wrong = entities.flatMap((entity) => {
          const schema = entity.spec["schema"];
          if (schema === undefined) return [];
          return checkSchema(schema).map((finding) => ({
            where: entity.where,
            entity: `${entity.kind}/${entity.name}`,
            path: finding.path === "" ? "schema" : `schema.${finding.path}`,
            message: finding.message,
          }));
        });
        context.output.list(
          wrong,
          [
            { title: "entity", value: (each) => each.entity },
            { title: "field", value: (each) => each.path },
            { title: "what is wrong", value: (each) => each.message },
          ],
          (each) => each,
          `${entities.length} entities are well formed`,
        );
        if (wrong.length > 0) context.exit(EXIT.failed);
      }),
    );
}

/** Values at a dot path with `[]`, as kinds' references have them. */
function valuesAt(value: unknown, path: string): unknown[] {
  let found: unknown[] = [value];
  for (const part of path.split(".")) {
    const many = part.endsWith("[]");
    const field = many ? part.slice(0, -2) : part;
    found = found.flatMap((each) => {
      const next =
        typeof each === "object" && each !== null ? (each as Record<string, unknown>)[field] : undefined;
      return many ? (Array.isArray(next) ? (next as unknown[]) : []) : [next];
    });
  }
  return found;
}
