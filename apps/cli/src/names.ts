/** How people name things on the command line, and what the API calls them. */
import { isSegment } from "@greco/domain/model";
import { CliError } from "./cli-error.ts";

/** `Query/late-flights` → `models/m/entities/query/late-flights`; a full name stays. */
export function entityResourceOf(parent: string, text: string): string {
  if (text.startsWith("models/")) return text;
  const [kind = "", name = "", ...rest] = text.split("/");
  if (rest.length > 0 || !isSegment(kind.toLowerCase()) || !isSegment(name)) {
    throw new CliError(
      `an entity is written kind/name, as query/late-flights; got '${text}'`,
      "`greco list` shows the entities, `greco kind list` their kinds",
    );
  }
  return `${parent}/entities/${kind.toLowerCase()}/${name}`;
}

/** Where to look for what has no such name. */
const LISTS: Readonly<Record<string, string>> = {
  drafts: ": greco draft list",
  proposals: ": greco proposal list",
  kinds: ": greco kind list",
  streams: ": greco status",
};

/** `late` → `models/m/drafts/late`; a full name stays. */
export function resourceOf(parent: string, collection: string, text: string): string {
  if (text.startsWith("models/")) return text;
  if (!isSegment(text))
    throw new CliError(
      `'${text}' is no id: ids match [a-z0-9-]{1,63}`,
      `name one of the model's ${collection}${LISTS[collection] ?? ""}`,
    );
  return `${parent}/${collection}/${text}`;
}

/** `airline`, `models/airline` → `models/airline`. */
export function modelResourceOf(text: string): string {
  const name = text.replace(/^models\//, "");
  if (!isSegment(name))
    throw new CliError(
      `a model's name matches [a-z0-9-]{1,63}; got '${text}'`,
      "`greco model list` shows the models",
    );
  return `models/${name}`;
}

/** `models/m/entities/query/x` → `models/m`. */
export const modelOfResource = (resource: string): string => resource.split("/", 2).join("/");

/** `7`, `v7`, `models/m/versions/7` → 7. */
export function parseInteger(text: string, flag: string): number {
  const digits = /^(?:models\/[^/]+\/versions\/|v)?(\d+)$/.exec(text)?.[1];
  const value = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(value))
    throw new CliError(
      `${flag} must be a whole number from 0; got '${text}'`,
      flag === "version" ? "`greco history` lists the versions" : `give ${flag} in digits, as 12`,
    );
  return value;
}

/** Walks a paged list to its end, or to `limit`. */
export async function pages<T>(
  ask: (pageToken: string) => Promise<{ items: readonly T[]; next: string }>,
  limit = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const { items, next } = await ask(token);
    for (const item of items) all.push(item);
    token = next;
  } while (token !== "" && all.length < limit);
  return all.length > limit ? all.slice(0, limit) : all;
}

export const PAGE_SIZE = 500;
