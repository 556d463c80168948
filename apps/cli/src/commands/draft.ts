/** `greco draft …`: work that is nobody else's business until it is made so. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import {
  type Difference,
  Difference_Kind,
  DifferenceSchema,
  type Draft,
  DraftSchema,
  type Finding,
  FindingSchema,
  Severity,
} from "@greco/contracts/greco/model/v1/model";
import { RebaseConflictSchema, Resolution_Side } from "@greco/contracts/greco/registry/v1/registry";
import { type EntityFile, formatEntity, readEntities } from "@greco/entity-files";
import { CliError, EXIT } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { diffLines } from "../diff-lines.ts";
import { entityResourceOf, PAGE_SIZE, pages, resourceOf, shortName, timeText } from "../names.ts";
import { plain } from "../output.ts";
import { listEntities, listKinds } from "./entity.ts";

/** Below the limit of one message, with room. */
const CALL_BYTES_MAX = 2_000_000;
const CALL_CHANGES_MAX = 2_000;

type Change = {
  entity: string;
  action:
    | { case: "putSpecJson"; value: string }
    | { case: "delete"; value: boolean }
    | { case: "revert"; value: boolean };
};

export const draftFacts = (draft: Draft): (readonly [string, string])[] => [
  ["draft", shortName(draft.name)],
  ["title", draft.title],
  ["author", draft.author],
  ["base", `version ${draft.baseVersion}`],
  ["changes", String(draft.changeCount)],
  ["approved by", draft.approvals.map((approval) => approval.subject).join(", ")],
  ["changed", timeText(draft.updateTime)],
  ["etag", draft.etag],
];

export function showFindings(context: Context, findings: readonly Finding[], title: string): void {
  if (findings.length === 0) return;
  context.output.note(title);
  for (const finding of findings) {
    const sign =
      finding.severity === Severity.ERROR ? context.output.paint("31", "✗") : context.output.paint("33", "!");
    const column = finding.column > 0 ? `, column ${finding.column}` : "";
    context.output.note(
      `  ${sign} ${shortName(finding.entity)} ${finding.fieldPath}${column}: ${finding.message}`,
    );
    if (finding.remedy !== "") context.output.note(`    ${finding.remedy}`);
  }
}

export async function getDraft(context: Context, name: string): Promise<Draft> {
  const { registry } = await context.clients();
  return registry.getDraft(
    { name: resourceOf(context.parent(), "drafts", name) },
    { signal: context.signal },
  );
}

/** Sends the changes in calls of bounded size, each on the etag of the one before. */
export async function editDraft(
  context: Context,
  draft: Draft,
  changes: readonly Change[],
): Promise<{ draft: Draft; findings: Finding[] }> {
  const { registry } = await context.clients();
  let current = draft;
  const findings: Finding[] = [];
  for (let at = 0; at < changes.length;) {
    const call: Change[] = [];
    for (let bytes = 0; at < changes.length && call.length < CALL_CHANGES_MAX; at += 1) {
      const change = changes[at] as Change;
      bytes +=
        change.entity.length +
        (change.action.case === "putSpecJson" ? Buffer.byteLength(change.action.value) : 8);
      if (call.length > 0 && bytes > CALL_BYTES_MAX) break;
      call.push(change);
    }
    const edited = await registry.editDraft(
      { name: current.name, etag: current.etag, changes: call },
      { signal: context.signal },
    );
    current = edited.draft ?? current;
    findings.push(...edited.findings);
  }
  return { draft: current, findings };
}

const put = (parent: string, entity: EntityFile): Change => ({
  entity: `${parent}/entities/${entity.kind}/${entity.name}`,
  action: { case: "putSpecJson", value: JSON.stringify(entity.spec) },
});

async function editInEditor(text: string): Promise<string> {
  const editor = process.env["VISUAL"] ?? process.env["EDITOR"];
  if (editor === undefined)
    throw new CliError(
      "no editor: neither VISUAL nor EDITOR is set",
      "set EDITOR, or give the entity with -f FILE",
    );
  const dir = await mkdtemp(join(tmpdir(), "greco-edit-"));
  try {
    const file = join(dir, "entity.yaml");
    await writeFile(file, text);
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(`${editor} "$GRECO_EDIT_FILE"`, {
        shell: true,
        stdio: "inherit",
        env: { ...process.env, GRECO_EDIT_FILE: file },
      });
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) throw new CliError(`the editor ended with ${code}: nothing was changed`);
    return await readFile(file, "utf8");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const SIGN = new Map<Difference_Kind, { readonly sign: string; readonly colour: string }>([
  [Difference_Kind.CREATE, { sign: "+", colour: "32" }],
  [Difference_Kind.UPDATE, { sign: "~", colour: "33" }],
  [Difference_Kind.DELETE, { sign: "-", colour: "31" }],
]);

export function showDifference(context: Context, difference: Difference): void {
  const { output } = context;
  const { sign, colour } = SIGN.get(difference.kind) ?? { sign: "?", colour: "0" };
  output.raw(`${output.paint(colour, `${sign} ${shortName(difference.entity)}`)}\n`);
  const text = (json: string): string => (json === "" ? "" : JSON.stringify(JSON.parse(json), null, 2));
  for (const line of diffLines(text(difference.beforeSpecJson), text(difference.afterSpecJson))) {
    output.raw(
      `    ${line.startsWith("+") ? output.paint("32", line) : line.startsWith("-") ? output.paint("31", line) : line}\n`,
    );
  }
}

export function addDraftCommands(program: Command, { run }: Runner): void {
  const draft = program
    .command("draft")
    .description("drafts: create, edit, apply, diff, rebase, validate, approve, discard, list");
  draft
    .command("create <name>")
    .description("a draft over the head")
    .option("--title <text>", "what it is for", "")
    .action(
      run<[string], { title: string }>(async (context, { title }, name) => {
        const { registry } = await context.clients();
        const made = await registry.createDraft(
          { parent: context.parent(), draftId: name, draft: { title } },
          { signal: context.signal },
        );
        context.output.one(made, draftFacts, (each) => plain(DraftSchema, each));
      }),
    );
  draft.command("list").action(
    run<[], unknown>(async (context) => {
      const { registry } = await context.clients();
      const drafts = await pages(async (pageToken) => {
        const page = await registry.listDrafts(
          { parent: context.parent(), pageSize: PAGE_SIZE, pageToken },
          { signal: context.signal },
        );
        return { items: page.drafts, next: page.nextPageToken };
      });
      context.output.list(
        drafts,
        [
          { title: "draft", value: (each) => shortName(each.name) },
          { title: "author", value: (each) => each.author },
          { title: "base", value: (each) => `v${each.baseVersion}`, right: true },
          { title: "changes", value: (each) => String(each.changeCount), right: true },
          { title: "changed", value: (each) => timeText(each.updateTime) },
          { title: "title", value: (each) => each.title },
        ],
        (each) => plain(DraftSchema, each),
        "no drafts: greco draft create NAME",
      );
    }),
  );
  draft.command("get <name>").action(
    run<[string], unknown>(async (context, _options, name) => {
      context.output.one(await getDraft(context, name), draftFacts, (each) => plain(DraftSchema, each));
    }),
  );
  draft
    .command("edit <name> <entity>")
    .description("one entity in your editor, or from -f FILE; --delete and --revert without one")
    .option("-f, --file <file>", "take the entity from this file (- is stdin)")
    .option("--delete", "the draft deletes the entity")
    .option("--revert", "take the entity's change out of the draft")
    .action(
      run<[string, string], { file?: string; delete?: boolean; revert?: boolean }>(
        async (context, options, name, entity) => {
          const resource = entityResourceOf(context.parent(), entity);
          const before = await getDraft(context, name);
          const change = await changeOf(context, { resource, draft: name, ...options });
          if (change === undefined) return context.output.note("not changed");
          const { draft: after, findings } = await editDraft(context, before, [change]);
          context.output.one(after, draftFacts, (each) => plain(DraftSchema, each));
          showFindings(context, findings, "findings (they block make-it-so, not the draft):");
        },
      ),
    );
  draft
    .command("apply <name>")
    .description("lays the entities of files over the draft; makes the draft when it is not there")
    .requiredOption("-f, --file <path>", "a file or a folder, as `greco export` writes them")
    .option("--prune", "delete what the files do not have")
    .action(
      run<[string], { file: string; prune?: boolean }>(async (context, options, name) => {
        const parent = context.parent();
        const changes = (await readEntities(options.file)).map((entity) => put(parent, entity));
        const { registry } = await context.clients();
        let current = await getDraft(context, name).catch((error: unknown) => {
          if (error instanceof Error && "code" in error && error.code === "NOT_FOUND") return undefined;
          throw error;
        });
        current ??= await registry.createDraft({ parent, draftId: name }, { signal: context.signal });
        if (options.prune === true) {
          const kept = new Set(changes.map((change) => change.entity));
          const there = await listEntities(context, { draft: name }, "");
          for (const entity of there)
            if (!kept.has(entity.name))
              changes.push({ entity: entity.name, action: { case: "delete", value: true } });
        }
        const { draft: after, findings } = await editDraft(context, current, changes);
        context.output.one(after, draftFacts, (each) => plain(DraftSchema, each));
        showFindings(context, findings, "findings (they block make-it-so, not the draft):");
      }),
    );
  draft
    .command("diff <name>")
    .description("what the draft changes; exit code 2 when there is something")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { registry } = await context.clients();
        const differences = await pages(async (pageToken) => {
          const page = await registry.diffDraft(
            { name: resourceOf(context.parent(), "drafts", name), pageSize: PAGE_SIZE, pageToken },
            { signal: context.signal },
          );
          return { items: page.differences, next: page.nextPageToken };
        });
        if (context.output.format === "table") for (const each of differences) showDifference(context, each);
        else context.output.list(differences, [], (each) => plain(DifferenceSchema, each), "");
        if (differences.length > 0) context.exit(EXIT.differs);
        else context.output.note("no differences");
      }),
    );
  draft
    .command("validate <name>")
    .description("every finding, as make-it-so would see it")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { registry } = await context.clients();
        const { findings } = await registry.validateDraft(
          { name: resourceOf(context.parent(), "drafts", name) },
          { signal: context.signal },
        );
        if (context.output.format === "table")
          showFindings(context, findings, `${findings.length} findings:`);
        else context.output.list(findings, [], (each) => plain(FindingSchema, each), "");
        if (findings.some((finding) => finding.severity === Severity.ERROR)) context.exit(EXIT.failed);
        else if (findings.length === 0) context.output.note("no findings");
      }),
    );
  draft
    .command("rebase <name>")
    .description("lays the draft over the head; conflicts are listed, never settled silently")
    .option("--ours <entity...>", "settle these entities' conflicts for the draft")
    .option("--theirs <entity...>", "settle these entities' conflicts for the head")
    .action(
      run<[string], { ours?: string[]; theirs?: string[] }>(async (context, options, name) => {
        const { registry } = await context.clients();
        const before = await getDraft(context, name);
        const settle = (entities: readonly string[] | undefined, side: Resolution_Side) =>
          (entities ?? []).map((entity) => ({ entity: entityResourceOf(context.parent(), entity), side }));
        const resolutions = [
          ...settle(options.ours, Resolution_Side.DRAFT),
          ...settle(options.theirs, Resolution_Side.HEAD),
        ];
        const answer = await registry.rebaseDraft(
          { name: before.name, etag: before.etag, resolutions },
          { signal: context.signal },
        );
        if (answer.conflicts.length > 0) {
          context.output.list(
            answer.conflicts,
            [
              { title: "entity", value: (each) => shortName(each.entity) },
              { title: "field", value: (each) => each.fieldPath },
              { title: "base", value: (each) => each.baseJson },
              { title: "draft", value: (each) => each.draftJson },
              { title: "head", value: (each) => each.headJson },
            ],
            (each) => plain(RebaseConflictSchema, each),
            "",
          );
          throw new CliError(
            `${answer.conflicts.length} conflicts; the draft is as it was`,
            "settle each with --ours ENTITY or --theirs ENTITY, or edit the draft",
          );
        }
        if (answer.draft !== undefined)
          context.output.one(answer.draft, draftFacts, (each) => plain(DraftSchema, each));
      }),
    );
  draft
    .command("approve <name>")
    .description("the second person's yes, for the draft as it is now")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { registry } = await context.clients();
        const before = await getDraft(context, name);
        const after = await registry.approveDraft(
          { name: before.name, etag: before.etag },
          { signal: context.signal },
        );
        context.output.one(after, draftFacts, (each) => plain(DraftSchema, each));
      }),
    );
  draft.command("discard <name>").action(
    run<[string], unknown>(async (context, _options, name) => {
      const { registry } = await context.clients();
      await registry.discardDraft(
        { name: resourceOf(context.parent(), "drafts", name) },
        { signal: context.signal },
      );
      context.output.note(`draft ${name} is discarded`);
    }),
  );
}

async function changeOf(
  context: Context,
  asked: { resource: string; draft: string; file?: string; delete?: boolean; revert?: boolean },
): Promise<Change | undefined> {
  const { resource, draft, file } = asked;
  if (asked.delete === true) return { entity: resource, action: { case: "delete", value: true } };
  if (asked.revert === true) return { entity: resource, action: { case: "revert", value: true } };
  const take = async (path: string): Promise<Change> => {
    const entities = await readEntities(path);
    const entity = entities.find((each) => resource.endsWith(`/entities/${each.kind}/${each.name}`));
    if (entity === undefined)
      throw new CliError(
        `${path} holds ${entities.map((each) => `${each.kind}/${each.name}`).join(", ")}, not ${shortName(resource)}`,
      );
    return put(context.parent(), entity);
  };
  if (file !== undefined) return take(file === "-" ? "/dev/stdin" : file);
  const { registry } = await context.clients();
  const [kind = "", name = ""] = shortName(resource).split("/");
  const view = { at: { case: "draft", value: resourceOf(context.parent(), "drafts", draft) } } as const;
  const entity = await registry
    .getEntity({ name: resource, view }, { signal: context.signal })
    .catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "NOT_FOUND") return undefined;
      throw error;
    });
  const display = (await listKinds(context)).get(kind)?.displayName ?? kind;
  const before = formatEntity(display, name, entity === undefined ? {} : JSON.parse(entity.specJson));
  const after = await editInEditor(before);
  if (after === before) return undefined;
  const dir = await mkdtemp(join(tmpdir(), "greco-edit-"));
  try {
    await writeFile(join(dir, "entity.yaml"), after);
    return await take(join(dir, "entity.yaml"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
