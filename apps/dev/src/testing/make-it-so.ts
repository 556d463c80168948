/** A commit as a person makes it, for tests: drafted, edited, made so. Says the proposal's name. */
import type { DevClients } from "../start-dev.ts";

export async function makeItSo(
  { registry, commit }: Pick<DevClients, "registry" | "commit">,
  /** `models/m` */
  parent: string,
  draftId: string,
  /** `stream/readings` → its spec */
  specs: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<string> {
  const { name, etag } = await registry.createDraft({ parent, draftId }, { signal });
  const changes = Object.entries(specs).map(([entity, spec]) => ({
    entity: `${parent}/entities/${entity}`,
    action: { case: "putSpecJson", value: JSON.stringify(spec) } as const,
  }));
  const { draft } = await registry.editDraft({ name, etag, changes }, { signal });
  const asked = { draft: name, etag: draft?.etag ?? "", reason: "test" };
  return (await commit.makeItSo(asked, { signal })).name;
}
