/** A draft's etag names its content: an approval does not change it, every edit does, and none is used again. */
import { hashOf } from "@greco/domain/model";
import type { DraftRecord } from "../store/records.ts";

const ETAG_DIGITS = 20;

export function etagOfDraft({ incarnation, generation }: DraftRecord): string {
  return hashOf(`${incarnation}/${generation}`).slice(0, ETAG_DIGITS);
}
