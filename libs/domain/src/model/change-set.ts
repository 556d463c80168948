/**
 * Change sets: at most one line for each entity. Written as text lines in key order, so that one change set has one
 * text and one digest, in whatever order it was made: `+query/late-flights {"from":…}`, `-table/bands`.
 * Canonical JSON holds no line feed, so a line is a line.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { EntityKey } from "./ids.ts";
import type { OrderedMap } from "./ordered-map.ts";

export type Change = { readonly action: "put"; readonly specJson: string } | { readonly action: "delete" };

/** By entity key. */
export type ChangeSet = OrderedMap<Change>;

export function encodeChange(key: string, change: Change): string {
  return change.action === "put" ? `+${key} ${change.specJson}\n` : `-${key}\n`;
}

/** Reads a line without its line feed; undefined when it is none. */
export function decodeChange(line: string): readonly [EntityKey, Change] | undefined {
  if (line.startsWith("-")) return [line.slice(1) as EntityKey, { action: "delete" }];
  const space = line.indexOf(" ");
  if (!line.startsWith("+") || space === -1) return undefined;
  return [line.slice(1, space) as EntityKey, { action: "put", specJson: line.slice(space + 1) }];
}

/** sha-256 over the lines in key order, lower-case hex. */
export function digestOf(changes: ChangeSet): string {
  const hash = sha256.create();
  const encoder = new TextEncoder();
  for (const [key, change] of changes.entries()) hash.update(encoder.encode(encodeChange(key, change)));
  return bytesToHex(hash.digest());
}

/** sha-256 of a text, lower-case hex. */
export function hashOf(text: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(text)));
}
