/**
 * Text for terminals: what others wrote is shown, never obeyed. A reason or a name may hold escape sequences
 * that would recolour the screen or rewrite lines above; they are made visible instead.
 */
import { stripVTControlCharacters } from "node:util";

// C0, DEL and C1; also the marks that turn the direction of writing, which make text look like other text.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const ASCII = /^[\u0020-\u007e]*$/;

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Several lines stay several lines. */
export const printable = (text: string): string =>
  text.replaceAll("\t", "  ").replaceAll("\r\n", "\n").replace(CONTROL, "�");

/** For a cell or a heading: one line. */
export const oneLine = (text: string): string => printable(text).replaceAll("\n", "⏎");

/** Columns on a terminal; colours have none. */
export function widthOf(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (ASCII.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of graphemes.segment(bare)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** Cut to `width` columns, with an ellipsis where something is missing. The text has no colours. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += WIDE.test(segment) ? 2 : 1;
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

export const padEnd = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - widthOf(text)));

export const padStart = (text: string, width: number): string =>
  " ".repeat(Math.max(0, width - widthOf(text))) + text;

/** Broken between words into lines of at most `width` columns; further lines begin as the first one does. */
export function wrap(text: string, width: number): string[] {
  const indent = /^ */.exec(text)?.[0] ?? "";
  const lines: string[] = [];
  let line = indent;
  for (const word of text.trim().split(" ")) {
    const longer = line.trim() === "" ? `${indent}${word}` : `${line} ${word}`;
    if (line.trim() !== "" && widthOf(longer) > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = longer;
  }
  return [...lines, line];
}
