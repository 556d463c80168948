// Finds the modules of a folder by what they export, so that adding a check or a benchmark is adding one file.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { nearest } from "./nearest.ts";

/** Every `*.ts` below `folder` (specs apart) must have the named export; anything else there is a mistake. */
export async function discover<T extends { readonly id: string }>(
  folder: string,
  name: string,
): Promise<T[]> {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.endsWith(".spec.ts"));
  const found: T[] = [];
  for (const file of files.toSorted()) {
    const module = (await import(pathToFileURL(join(folder, file)).href)) as Record<string, T | undefined>;
    const value = module[name];
    if (value === undefined) throw new Error(`${join(folder, file)} has no export named "${name}"`);
    if (found.some((other) => other.id === value.id)) throw new Error(`two files have the id ${value.id}`);
    found.push(value);
  }
  return found;
}

/** `A-I1`, `a-i1` and `I1` are the same id. */
export function sameId(a: string, b: string): boolean {
  const plain = (id: string): string => id.toLowerCase().replace(/^a-/, "");
  return plain(a) === plain(b);
}

/** Those of `known` that `wanted` names, in the order of `known`; all when nothing is named. */
export function select<T extends { readonly id: string }>(
  known: readonly T[],
  wanted: readonly string[],
): T[] {
  for (const id of wanted) {
    if (known.some((entry) => sameId(entry.id, id))) continue;
    const suggestion = nearest(
      id,
      known.map((entry) => entry.id),
    );
    throw new UnknownId(
      `unknown id ${id}` + (suggestion === undefined ? "" : `; did you mean ${suggestion}?`),
    );
  }
  return known.filter((entry) => wanted.length === 0 || wanted.some((id) => sameId(entry.id, id)));
}

export class UnknownId extends Error {}
