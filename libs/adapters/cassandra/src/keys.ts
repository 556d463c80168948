/** Keys: models of several installations in one keyspace are kept apart by a prefix. */
import { createHash } from "node:crypto";
import type { ModelId } from "@greco/domain/model";

export type ModelKey = (model: ModelId) => string;

export const modelKey =
  (space: string): ModelKey =>
  (model) =>
    space === "" ? model : `${space}/${model}`;

/** A partition's key may not be empty. */
export const spaceKey = (space: string): string => `/${space}`;

/** One of `parts` partitions, the same for ever. */
export function partOf(key: string, parts: number): number {
  return createHash("sha256").update(key).digest().readUInt32BE(0) % parts;
}

/** JSON with object keys sorted, so that the same record is the same text; undefined fields are left out. */
export function stable(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
