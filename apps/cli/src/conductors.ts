/** Which conductors a model has, and which kinds have none. */
import { setTimeout as pause } from "node:timers/promises";
import { type Conductor, Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import type { Context } from "./context.ts";
import { listKinds } from "./kinds.ts";
import { PAGE_SIZE, pages } from "./names.ts";

const POLL_MS = 100;

export async function listConductors(context: Context, model: string): Promise<Conductor[]> {
  const { conductors } = await context.clients();
  return pages(async (pageToken) => {
    const page = await conductors.listConductors(
      { model, pageSize: PAGE_SIZE, pageToken },
      { signal: context.signal },
    );
    return { items: page.conductors, next: page.nextPageToken };
  });
}

/** Kinds whose entities nobody would put into effect. */
export async function kindsWithoutConductor(
  context: Context,
  model: string,
  conductors: readonly Conductor[],
): Promise<string[]> {
  const active = conductors.filter(({ state }) => state === Conductor_State.ACTIVE);
  const kinds = await listKinds(context, model);
  return [...kinds]
    .filter(([, kind]) => !kind.unclaimedAllowed)
    .map(([id]) => id)
    .filter((id) => !active.some((each) => each.kinds.length === 0 || each.kinds.includes(id)));
}

/** Conductors hear of a new model a moment after it is made. */
export async function waitForConductors(context: Context, model: string): Promise<void> {
  let said = "";
  for (;;) {
    const lacking = await kindsWithoutConductor(context, model, await listConductors(context, model));
    if (lacking.length === 0) return;
    const text = `waiting for a conductor of ${lacking.join(", ")}`;
    if (context.output.live && text !== said) context.output.note(text);
    said = text;
    await pause(POLL_MS, undefined, { signal: context.signal });
  }
}
