/** Who holds which role in a model. Roles are ordered: a higher one includes the lower ones. */
import type { CpStore } from "@greco/ports";
import { keys } from "./keys.ts";

export const PERSON_ROLES = ["viewer", "editor", "releaser", "admin"] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];

export function includes(held: PersonRole, needed: PersonRole): boolean {
  return PERSON_ROLES.indexOf(held) >= PERSON_ROLES.indexOf(needed);
}

/** The role of a subject in a model, read from the store; undefined: none. */
export async function roleOf(
  store: CpStore,
  model: string,
  subject: string,
  signal: AbortSignal,
): Promise<PersonRole | undefined> {
  const { entries } = await store.range(
    { key: keys.roleBinding(model, subject) },
    { limit: 1, serializable: true },
    signal,
  );
  const entry = entries[0];
  if (entry === undefined) return undefined;
  return (JSON.parse(new TextDecoder().decode(entry.value)) as { role: PersonRole }).role;
}
