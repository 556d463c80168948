/** The kinds of a model, by id. */
import type { Kind } from "@greco/contracts/greco/model/v1/model";
import type { Context } from "./context.ts";
import { PAGE_SIZE, pages } from "./names.ts";
import { shortName } from "./short-name.ts";

export async function listKinds(context: Context, model: string): Promise<Map<string, Kind>> {
  const { registry } = await context.clients();
  const kinds = await pages(async (pageToken) => {
    const page = await registry.listKinds(
      { parent: model, pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.kinds, next: page.nextPageToken };
  });
  return new Map(kinds.map((kind) => [shortName(kind.name), kind]));
}
