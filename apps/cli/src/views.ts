/** Reads of a model's entities, at the head, at a version or as a draft would make them. */
import type { Entity } from "@greco/contracts/greco/model/v1/model";
import { CliError } from "./cli-error.ts";
import type { Context } from "./context.ts";
import { PAGE_SIZE, pages, parseInteger } from "./names.ts";

export type ViewFlags = { readonly version?: string; readonly draft?: string };

/** Without flags: the head. */
export function viewOf(context: Context, { version, draft }: ViewFlags) {
  if (version !== undefined && draft !== undefined)
    throw new CliError("--version and --draft exclude each other", "give one of them");
  if (version !== undefined)
    return { at: { case: "version", value: BigInt(parseInteger(version, "--version")) } } as const;
  if (draft !== undefined)
    return { at: { case: "draft", value: context.resource("drafts", draft) } } as const;
  return { at: { case: undefined } } as const;
}

/** `kind` empty: all. */
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
