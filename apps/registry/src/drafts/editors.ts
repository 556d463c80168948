/** Who has had a hand in a draft, and may therefore not approve it. Nobody is ever forgotten. */
import { fault } from "@greco/service-kit";
import type { DraftRecord } from "../store/records.ts";

/** With one more, or refused: to forget the first one would let him approve. */
export function editorsWith(
  name: string,
  { author, editors }: DraftRecord,
  subject: string,
  max: number,
): readonly string[] {
  if (subject === author || editors.includes(subject)) return editors;
  if (editors.length < max) return [...editors, subject];
  throw fault.exhausted(
    "TOO_MANY_EDITORS",
    `${max} people beside its author have edited ${name}, which is the limit, and ${subject} is none of them: one of them can edit it, or put the change into a draft of your own`,
    undefined,
  );
}
