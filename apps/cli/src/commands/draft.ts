/** `greco draft …`: work that is nobody else's business until it is made so. */
import type { JsonValue } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { DifferenceSchema, FindingSchema } from "@greco/contracts/greco/model/v1/model";
import {
  type RebaseConflict,
  RebaseConflictSchema,
  Resolution_Side,
} from "@greco/contracts/greco/registry/v1/registry";
import { CliError, EXIT } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { differenceText, findingText } from "../difference-view.ts";
import { draftFacts, draftJson, getDraft } from "../drafts.ts";
import { isError } from "../finding-view.ts";
import { PAGE_SIZE, pages } from "../names.ts";
import { plain } from "../plain.ts";
import { shortName } from "../short-name.ts";
import { printable } from "../text.ts";
import { timeText } from "../times.ts";
import { addDraftEditCommands } from "./draft-edit.ts";

export function addDraftCommands(program: Command, runner: Runner): void {
  const { run } = runner;
  const draft = program
    .command("draft")
    .description("drafts: create, edit, apply, diff, rebase, validate, approve, discard, get, list");
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
        context.output.one(made, draftFacts, draftJson);
      }),
    );
  addDraftEditCommands(draft, runner);
  draft
    .command("diff <name>")
    .description("what the draft changes; exit code 2 when there is something")
    .action(run<[string], unknown>(diff));
  draft
    .command("validate <name>")
    .description("every finding, as make-it-so would see it; exit code 1 when one is an error")
    .action(run<[string], unknown>(validate));
  draft
    .command("rebase <name>")
    .description("lays the draft over the head; conflicts are listed, never settled silently")
    .option(
      "--ours <entity...>",
      "settle these entities' conflicts for the draft (kind/name or kind/name:field)",
    )
    .option("--theirs <entity...>", "settle these entities' conflicts for the head")
    .action(run<[string], Sides>(rebase));
  draft
    .command("approve <name>")
    .description("the second person's yes, for the draft as it is now")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { registry } = await context.clients();
        const { name: resource, etag } = await getDraft(context, name);
        const after = await registry.approveDraft({ name: resource, etag }, { signal: context.signal });
        context.output.one(after, draftFacts, draftJson);
      }),
    );
  draft
    .command("discard <name>")
    .description("throws the draft away; proposals that were made of it stay")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        const { registry } = await context.clients();
        const resource = context.resource("drafts", name);
        const { etag } = await getDraft(context, name);
        await registry.discardDraft({ name: resource, etag }, { signal: context.signal });
        context.output.done(`draft ${shortName(resource)} is discarded`, { discarded: resource });
      }),
    );
  draft
    .command("get <name>")
    .description("author, base and approvals of a draft")
    .action(
      run<[string], unknown>(async (context, _options, name) => {
        context.output.one(await getDraft(context, name), draftFacts, draftJson);
      }),
    );
  draft
    .command("list")
    .description("drafts of the model")
    .action(
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
            { title: "title", value: (each) => each.title, prose: true },
          ],
          draftJson,
          "no drafts: greco draft create NAME",
        );
      }),
    );
}

async function diff(context: Context, _options: unknown, name: string): Promise<void> {
  const { registry } = await context.clients();
  const differences = await pages(async (pageToken) => {
    const page = await registry.diffDraft(
      { name: context.resource("drafts", name), pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.differences, next: page.nextPageToken };
  });
  const items = context.output.items();
  for (const each of differences)
    items.item(plain(DifferenceSchema, each), () => differenceText(context.output, each));
  items.end();
  if (differences.length > 0) context.exit(EXIT.differs);
  else context.output.note("no differences");
}

async function validate(context: Context, _options: unknown, name: string): Promise<void> {
  const { registry } = await context.clients();
  const { findings, truncated } = await registry.validateDraft(
    { name: context.resource("drafts", name) },
    { signal: context.signal },
  );
  const items = context.output.items();
  for (const each of findings)
    items.item(plain(FindingSchema, each), () => findingText(context.output, each));
  items.end();
  if (truncated)
    context.output.note(
      `and more than fit into one answer: settle these ${findings.length}, then use \`greco draft validate ${shortName(context.resource("drafts", name))}\` again`,
    );
  if (findings.some(isError)) context.exit(EXIT.failed);
  else if (findings.length === 0) context.output.note("no findings");
}

type Sides = { ours?: string[]; theirs?: string[] };

async function rebase(context: Context, { ours = [], theirs = [] }: Sides, name: string): Promise<void> {
  const { registry } = await context.clients();
  const before = await getDraft(context, name);
  const answer = await registry.rebaseDraft(
    {
      name: before.name,
      etag: before.etag,
      resolutions: [
        ...ours.map((text) => resolution(context, text, Resolution_Side.DRAFT)),
        ...theirs.map((text) => resolution(context, text, Resolution_Side.HEAD)),
      ],
    },
    { signal: context.signal },
  );
  const { draft, conflicts, truncated } = answer;
  if (conflicts.length > 0) {
    const items = context.output.items();
    for (const each of conflicts) items.item(conflictJson(each), () => conflictText(context, each));
    items.end();
    const count = conflicts.length === 1 ? "one conflict" : `${conflicts.length} conflicts`;
    const more = truncated ? ", and more than fit into one answer" : "";
    const then = truncated ? "; with these settled, greco draft rebase lists the others" : "";
    throw new CliError(
      `${count}${more}; the draft is as it was`,
      `settle each with --ours or --theirs, as --ours ${settled(conflicts[0])}, or edit the draft${then}`,
    );
  }
  if (draft !== undefined) context.output.one(draft, draftFacts, draftJson);
  if (draft?.baseVersion === before.baseVersion) context.output.note("it stands on the head already");
}

const settled = (conflict: RebaseConflict | undefined): string =>
  conflict === undefined
    ? ""
    : `${shortName(conflict.entity)}${conflict.fieldPath === "" ? "" : `:${conflict.fieldPath}`}`;

/** `query/late` settles the whole entity, `query/late:select.euros` one field of it. */
function resolution(context: Context, text: string, side: Resolution_Side) {
  const colon = text.indexOf(":");
  const [entity, fieldPath] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
  return { entity: context.entity(entity), fieldPath, side };
}

const conflictJson = (conflict: RebaseConflict): JsonValue => plain(RebaseConflictSchema, conflict);

function conflictText({ output }: Context, conflict: RebaseConflict): string {
  const { entity, fieldPath, baseJson, draftJson: draftSide, headJson } = conflict;
  const side = (name: string, json: string): string =>
    `    ${output.paint("dim", name.padEnd(5))}  ${json === "" ? "(absent)" : printable(json)}\n`;
  const field = fieldPath === "" ? "as a whole" : fieldPath;
  return [
    `${output.paint("red", "✗")} ${shortName(entity)} ${field}\n`,
    side("base", baseJson),
    side("draft", draftSide),
    side("head", headJson),
  ].join("");
}
