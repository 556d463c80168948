/** How people name things on the command line, and what the API calls them. */
import { isSegment } from "@greco/domain/model";
import { CliError, EXIT } from "./cli-error.ts";

/** `Query/late-flights` → `models/m/entities/query/late-flights`. */
export function entityResourceOf(parent: string, text: string): string {
  const [kind = "", name = "", ...rest] = text.split("/");
  if (rest.length > 0 || !isSegment(kind.toLowerCase()) || !isSegment(name)) {
    throw new CliError(
      `an entity is written kind/name, as query/late-flights; got '${text}'`,
      undefined,
      EXIT.usage,
    );
  }
  return `${parent}/entities/${kind.toLowerCase()}/${name}`;
}

/** `late` → `models/m/drafts/late`; a full name stays. */
export function resourceOf(parent: string, collection: string, text: string): string {
  if (text.startsWith("models/")) return text;
  if (!isSegment(text))
    throw new CliError(`'${text}' is no id: ids match [a-z0-9-]{1,63}`, undefined, EXIT.usage);
  return `${parent}/${collection}/${text}`;
}

/** `models/m/entities/query/x` → `query/x`; `models/m/drafts/d` → `d`. */
export function shortName(resource: string): string {
  return resource
    .replace(
      /^models\/[^/]+\/(entities|drafts|proposals|kinds|versions|streams|roleBindings|auditRecords)\//,
      "",
    )
    .replace(/^(models|conductors)\//, "");
}

export function parseInteger(text: string, flag: string): number {
  const value = Number(text.replace(/^.*versions\//, ""));
  if (!Number.isSafeInteger(value) || value < 0)
    throw new CliError(`${flag} must be a whole number from 0; got '${text}'`, undefined, EXIT.usage);
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
    all.push(...items);
    token = next;
  } while (token !== "" && all.length < limit);
  return all.slice(0, limit);
}

export const PAGE_SIZE = 500;

export function timeText(time: { readonly seconds: bigint; readonly nanos: number } | undefined): string {
  if (time === undefined) return "";
  return new Date(Number(time.seconds) * 1_000 + time.nanos / 1e6).toISOString().replace(/\.\d+Z$/, "Z");
}

export function durationText(
  duration: { readonly seconds: bigint; readonly nanos: number } | undefined,
): string {
  if (duration === undefined) return "";
  const seconds = Number(duration.seconds) + duration.nanos / 1e9;
  return seconds >= 60
    ? `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`
    : `${Math.round(seconds * 10) / 10}s`;
}

export function toDuration(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: Math.round((ms % 1_000) * 1e6) };
}
