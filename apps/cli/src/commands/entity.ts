/** `greco get | list | describe | export`: entities as they are. */
import type { JsonValue } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { type Entity, EntitySchema } from "@greco/contracts/greco/model/v1/model";
import { parseReferencePath, valuesAt } from "@greco/domain/model";
import { entityFilesIn, formatEntity, writeEntity } from "@greco/entity-files";
import { nearestName } from "@greco/expression";
import { CliError } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { plain } from "../plain.ts";
import { shortName } from "../short-name.ts";
import { listEntities, viewOf, type ViewFlags } from "../views.ts";
import { listKinds } from "../kinds.ts";
import { modelOfResource } from "../names.ts";

const jsonOf = (entity: Entity): JsonValue => plain(EntitySchema, entity);

async function getEntity(context: Context, flags: ViewFlags, name: string): Promise<Entity> {
  const { registry } = await context.clients();
  return registry.getEntity(
    { name: context.entity(name), view: viewOf(context, flags) },
    { signal: context.signal },
  );
}

/** An empty list of a kind that does not exist is a slip of the pen. */
async function refuseUnknownKind(context: Context, kind: string): Promise<void> {
  const kinds = await listKinds(context, context.parent());
  if (kinds.has(kind)) return;
  const near = nearestName(kind, kinds.keys());
  throw new CliError(
    `there is no kind ${kind}`,
    near === undefined ? "`greco kind list` shows those that there are" : `did you mean ${near}?`,
  );
}

/** Who refers to `kind/id`, by the references that kinds declare. */
async function referrersOf(context: Context, flags: ViewFlags, kind: string, id: string): Promise<string[]> {
  const kinds = await listKinds(context, context.parent());
  const entities = await listEntities(context, flags, "");
  return entities
    .filter(({ name, specJson }) =>
      (kinds.get(shortName(name).split("/")[0] ?? "")?.references ?? []).some(
        (reference) => reference.kind === kind && namesAt(specJson, reference.path).includes(id),
      ),
    )
    .map(({ name }) => shortName(name));
}

function namesAt(specJson: string, path: string): unknown[] {
  const steps = parseReferencePath(path);
  if (steps === undefined) return [];
  return valuesAt(JSON.parse(specJson) as JsonValue, steps).map(({ value }) => value);
}

export function addEntityCommands(program: Command, { run }: Runner): void {
  const withView = (command: Command): Command =>
    command
      .option("--version <n>", "as of this version")
      .option("--draft <draft>", "as this draft would make it");

  withView(program.command("get <entity>").description("an entity as a file: kind/name")).action(
    run<[string], ViewFlags>(async (context, flags, name) => {
      const entity = await getEntity(context, flags, name);
      if (!context.output.isTable) return context.output.value(jsonOf(entity));
      const [kind = "", id = ""] = shortName(entity.name).split("/");
      const written = (await listKinds(context, modelOfResource(entity.name))).get(kind)?.displayName ?? kind;
      context.output.raw(formatEntity(written, id, JSON.parse(entity.specJson)));
    }),
  );
  withView(program.command("list [kind]").description("entities, all or of one kind")).action(
    run<[string | undefined], ViewFlags>(async (context, flags, kind = "") => {
      const id = kind.toLowerCase();
      const entities = await listEntities(context, flags, id);
      if (id !== "" && entities.length === 0) await refuseUnknownKind(context, id);
      context.output.list(
        entities,
        [
          { title: "entity", value: (each) => shortName(each.name) },
          { title: "created", value: (each) => versionText(each.createdVersion), right: true },
          { title: "changed", value: (each) => versionText(each.changedVersion), right: true },
        ],
        jsonOf,
        "no entities: greco draft apply DRAFT -f DIR",
      );
    }),
  );
  withView(
    program.command("describe <entity>").description("an entity with its versions and who refers to it"),
  ).action(
    run<[string], ViewFlags>(async (context, flags, name) => {
      const entity = await getEntity(context, flags, name);
      const short = shortName(entity.name);
      const [kind = "", id = ""] = short.split("/");
      const usedBy = await referrersOf(context, flags, kind, id);
      context.output.one(
        entity,
        () => [
          ["entity", short],
          ["identity", `${short}@${entity.createdVersion}`],
          ["changed in", `version ${entity.changedVersion}`],
          ["used by", usedBy.join("\n")],
          ["spec", JSON.stringify(JSON.parse(entity.specJson), null, 2)],
        ],
        (each) => ({ ...plain(EntitySchema, each), usedBy }),
      );
    }),
  );
  withView(
    program.command("export").description("every entity as a file, one a file, as `draft apply` reads them"),
  )
    .requiredOption("-d, --dir <dir>", "the folder to write to")
    .action(run<[], ViewFlags & { dir: string }>(exportAll));
}

async function exportAll(context: Context, flags: ViewFlags & { dir: string }): Promise<void> {
  const kinds = await listKinds(context, context.parent());
  const entities = await listEntities(context, flags, "");
  const paths: string[] = [];
  for (const entity of entities) {
    const [kind = "", name = ""] = shortName(entity.name).split("/");
    const displayKind = kinds.get(kind)?.displayName ?? kind;
    paths.push(
      await writeEntity(flags.dir, { kind, displayKind, name, spec: JSON.parse(entity.specJson) as unknown }),
    );
  }
  context.output.list(
    paths,
    [{ title: "file", value: (each) => each }],
    (each) => each,
    "the model has no entities",
  );
  const written = new Set(paths);
  const others = (await entityFilesIn(flags.dir)).filter((path) => !written.has(path));
  if (others.length > 0)
    context.output.note(
      `${others.length} other files lie in ${flags.dir} and would be applied with these: ${others.slice(0, 5).join(", ")}${others.length > 5 ? ", …" : ""}`,
    );
}

/** An entity that only a draft has yet says so. */
const versionText = (version: bigint): string => (version === 0n ? "" : `v${version}`);
