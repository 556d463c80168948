/**
 * A draft's edits as a log: one entry an edit, named by its generation, so that an edit costs its own lines and not
 * the draft's. The draft's record says up to which generation the log counts; from time to time it is folded.
 */
import { decodeChange, encodeChange, type ChangeSet } from "@greco/domain/model";
import { keys } from "@greco/control-kit";
import { CorruptContentError } from "../store/chunked.ts";
import type { Chunked } from "../store/records.ts";
import type { Edit, EditLine } from "./content.ts";

const GENERATION_DIGITS = 12;

export function logPrefix(model: string, draft: string, incarnation: string): string {
  return `${keys.draftChunks(model, draft)}${incarnation}/g-`;
}

export function logKey(model: string, draft: string, incarnation: string, generation: number): string {
  return `${logPrefix(model, draft, incarnation)}${String(generation).padStart(GENERATION_DIGITS, "0")}`;
}

/** Chunks of large entries of the log. */
export function editPrefix(model: string, draft: string, incarnation: string): string {
  return `${keys.draftChunks(model, draft)}${incarnation}/e-`;
}

/** Chunks of the folded content. */
export function contentPrefix(model: string, draft: string, incarnation: string): string {
  return `${keys.draftChunks(model, draft)}${incarnation}/f-`;
}

export function encodeEdit(key: string, edit: Edit): string {
  return edit.action === "revert" ? `=${key}\n` : encodeChange(key, edit);
}

export function decodeEdit(line: string): EditLine {
  if (line.startsWith("=")) return [line.slice(1), { action: "revert" }];
  const change = decodeChange(line);
  if (change === undefined)
    throw new CorruptContentError(`a draft's log holds the line ${line.slice(0, 80)}`);
  return change;
}

export function* encodeChanges(changes: ChangeSet): Generator<string, void, undefined> {
  for (const [key, change] of changes.entries()) yield encodeChange(key, change);
}

/** Lines that are part of the entry, or where they stand. */
export type LogEntry = { readonly lines: string } | { readonly content: Chunked };

const INLINE = "inline\n";

export function encodeEntry(entry: LogEntry): Uint8Array {
  return Buffer.from("lines" in entry ? `${INLINE}${entry.lines}` : JSON.stringify(entry.content), "utf8");
}

export function decodeEntry(value: Uint8Array): LogEntry {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8");
  if (text.startsWith(INLINE)) return { lines: text.slice(INLINE.length) };
  return { content: JSON.parse(text) as Chunked };
}

export function decodeLines(text: string): readonly EditLine[] {
  return text === "" ? [] : text.slice(0, -1).split("\n").map(decodeEdit);
}
