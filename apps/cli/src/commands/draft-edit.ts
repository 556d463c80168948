/** `greco draft edit | apply`: how entities get into a draft. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { formatEntity, parseEntities, type EntityFile } from "@greco/entity-files";
import { CliError } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { type Change, editDraft, getDraft, orAbsent, putOf, showEdited } from "../drafts.ts";
import { given } from "../given.ts";
import { shortName } from "../short-name.ts";
import { listEntities } from "../views.ts";
import { entitiesAt } from "../input.ts";
import { listKinds } from "../kinds.ts";
import { modelOfResource } from "../names.ts";

type EditFlags = { file?: string; delete?: boolean; revert?: boolean };
type ApplyFlags = { file: string; prune?: boolean };

export function addDraftEditCommands(draft: Command, { run }: Runner): void {
  draft
    .command("edit <name> <entity>")
    .description("one entity in your editor, or from -f FILE; --delete and --revert without one")
    .option("-f, --file <file>", "take the entity from this file (- is stdin)")
    .option("--delete", "the draft deletes the entity")
    .option("--revert", "take the entity's change out of the draft")
    .action(run<[string, string], EditFlags>(edit));
  draft
    .command("apply <name>")
    .description("lays the entities of files over the draft; makes the draft when it is not there")
    .requiredOption("-f, --file <path>", "a file or a folder, as `greco export` writes them")
    .option("--prune", "delete what the files do not have")
    .action(run<[string], ApplyFlags>(apply));
}

async function apply(context: Context, { file, prune }: ApplyFlags, name: string): Promise<void> {
  // Files first: what cannot be read must not leave a draft behind.
  const entities = await entitiesAt(file);
  const { registry } = await context.clients();
  const parent = context.parent();
  const draft =
    (await orAbsent(getDraft(context, name))) ??
    (await registry.createDraft({ parent, draftId: name }, { signal: context.signal }));
  const changes = entities.map((entity) => putOf(parent, entity));
  if (prune === true) {
    const kept = new Set(changes.map((change) => change.entity));
    for (const { name: there } of await listEntities(context, { draft: draft.name }, ""))
      if (!kept.has(there)) changes.push({ entity: there, action: { case: "delete", value: true } });
  }
  const edited = await editDraft(context, draft, changes);
  showEdited(context, edited.draft, edited.findings);
}

async function edit(context: Context, flags: EditFlags, name: string, entity: string): Promise<void> {
  const ways = [flags.file !== undefined, flags.delete === true, flags.revert === true];
  if (ways.filter(Boolean).length > 1)
    throw new CliError("--file, --delete and --revert exclude each other", "give one of them");
  const resource = context.entity(entity);
  const draft = await getDraft(context, name);
  const send = async (change: Change): Promise<void> => {
    const edited = await editDraft(context, draft, [change]);
    showEdited(context, edited.draft, edited.findings);
  };
  if (flags.delete === true) return send({ entity: resource, action: { case: "delete", value: true } });
  if (flags.revert === true) return send({ entity: resource, action: { case: "revert", value: true } });
  if (flags.file !== undefined) {
    return send(changeTo(resource, await entitiesAt(flags.file), flags.file));
  }
  await editByHand(context, resource, draft.name, send);
}

function changeTo(resource: string, entities: readonly EntityFile[], where: string): Change {
  const change = entities
    .map((each) => putOf(modelOfResource(resource), each))
    .find(({ entity }) => entity === resource);
  if (change !== undefined) return change;
  const found = entities.map((each) => `${each.kind}/${each.name}`).join(", ");
  throw new CliError(
    `${where} holds ${found === "" ? "no entity" : found}, not ${shortName(resource)}`,
    "kind and name in the file say which entity it is",
  );
}

/** What was written in the editor is not lost: when it cannot be taken, the file stays and is named. */
async function editByHand(
  context: Context,
  resource: string,
  draft: string,
  send: (change: Change) => Promise<void>,
): Promise<void> {
  const { registry } = await context.clients();
  const [kind = "", name = ""] = shortName(resource).split("/");
  const view = { at: { case: "draft", value: draft } } as const;
  const entity = await orAbsent(registry.getEntity({ name: resource, view }, { signal: context.signal }));
  const written = (await listKinds(context, modelOfResource(resource))).get(kind)?.displayName ?? kind;
  const before = formatEntity(written, name, entity === undefined ? {} : JSON.parse(entity.specJson));
  const dir = await mkdtemp(join(tmpdir(), "greco-edit-"));
  const file = join(dir, `${name}.yaml`);
  await writeFile(file, before);
  try {
    await openEditor(file);
    const after = await readFile(file, "utf8");
    if (after === before) context.output.note("nothing was changed");
    else await send(changeTo(resource, parseEntities(after, file), file));
  } catch (error) {
    if ((await readFile(file, "utf8")) !== before)
      context.output.note(
        `your text is kept: greco draft edit ${shortName(draft)} ${kind}/${name} -f ${file}`,
      );
    else await rm(dir, { recursive: true, force: true });
    throw error;
  }
  await rm(dir, { recursive: true, force: true });
}

async function openEditor(file: string): Promise<void> {
  const editor = given(process.env["VISUAL"]) ?? given(process.env["EDITOR"]);
  if (editor === undefined)
    throw new CliError(
      "no editor: neither VISUAL nor EDITOR is set",
      "set EDITOR, or give the entity with -f FILE",
    );
  const code = await new Promise<number | null>((resolve, reject) => {
    // The variable may hold options (`code --wait`), so a shell takes it apart; the path is no part of its text.
    const child = spawn(`${editor} "$GRECO_EDIT_FILE"`, {
      shell: true,
      stdio: "inherit",
      env: { ...process.env, GRECO_EDIT_FILE: file },
    });
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0)
    throw new CliError(
      `the editor ended with ${code}: nothing was changed`,
      "end it without an error, or give the entity with -f FILE",
    );
}
