/** Drafts as the commands handle them: read, edited in calls of bounded size, shown. */
import type { JsonValue } from "@bufbuild/protobuf";
import { type Draft, DraftSchema, type Finding } from "@greco/contracts/greco/model/v1/model";
import type { EntityFile } from "@greco/entity-files";
import { GrecoError } from "@greco/sdk";
import { CliError } from "./cli-error.ts";
import type { Context } from "./context.ts";
import { noteFindings } from "./difference-view.ts";
import type { Facts } from "./output.ts";
import { plain } from "./plain.ts";
import { shortName } from "./short-name.ts";
import { timeText } from "./times.ts";

/** Below the limit of one message, with room. */
const CALL_BYTES_MAX = 2_000_000;
const CALL_CHANGES_MAX = 2_000;

export type Change = {
  entity: string;
  action:
    | { case: "putSpecJson"; value: string }
    | { case: "delete"; value: boolean }
    | { case: "revert"; value: boolean };
};

export const putOf = (parent: string, { kind, name, spec }: EntityFile): Change => ({
  entity: `${parent}/entities/${kind}/${name}`,
  action: { case: "putSpecJson", value: JSON.stringify(spec) },
});

export const draftFacts = (draft: Draft): Facts => [
  ["draft", shortName(draft.name)],
  ["title", draft.title],
  ["author", draft.author],
  ["base", `version ${draft.baseVersion}`],
  ["changes", String(draft.changeCount)],
  ["approved by", draft.approvals.map((approval) => approval.subject).join(", ")],
  ["changed", timeText(draft.updateTime)],
];

export const draftJson = (draft: Draft): JsonValue => plain(DraftSchema, draft);

export async function getDraft(context: Context, name: string): Promise<Draft> {
  const { registry } = await context.clients();
  return registry.getDraft({ name: context.resource("drafts", name) }, { signal: context.signal });
}

/** `undefined` instead of NOT_FOUND. */
export async function orAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof GrecoError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** Changes in calls that fit, each all or none. */
export function callsOf(changes: readonly Change[]): Change[][] {
  const calls: Change[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const change of changes) {
    const { entity, action } = change;
    const size = entity.length + (action.case === "putSpecJson" ? Buffer.byteLength(action.value) : 8);
    const call = calls.at(-1);
    bytes += size;
    if (call !== undefined && bytes <= CALL_BYTES_MAX && call.length < CALL_CHANGES_MAX) call.push(change);
    else {
      calls.push([change]);
      bytes = size;
    }
  }
  return calls;
}

/** Sends the changes, each call on the etag of the one before. */
export async function editDraft(
  context: Context,
  draft: Draft,
  changes: readonly Change[],
): Promise<{ draft: Draft; findings: Finding[] }> {
  const { registry } = await context.clients();
  const findings: Finding[] = [];
  let current = draft;
  let sent = 0;
  for (const call of callsOf(changes)) {
    try {
      const edited = await registry.editDraft(
        { name: current.name, etag: current.etag, changes: call },
        { signal: context.signal },
      );
      current = edited.draft ?? current;
      findings.push(...edited.findings);
    } catch (error) {
      if (sent > 0)
        throw new CliError(
          `${(error as Error).message}; the first ${sent} of ${changes.length} changes are in the draft`,
          "correct it and repeat the command: what is there already stays as it is",
        );
      throw error;
    }
    sent += call.length;
  }
  return { draft: current, findings };
}

export function showEdited(context: Context, draft: Draft, findings: readonly Finding[]): void {
  context.output.one(draft, draftFacts, draftJson);
  noteFindings(context, findings, "findings; they block make-it-so, not the draft:");
}
