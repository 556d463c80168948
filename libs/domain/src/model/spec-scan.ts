/**
 * One pass over a spec's text for what `JSON.parse` lets through in silence (I15): names that mean something else
 * to JavaScript, names that stand twice in one object, too deep a nesting, integers that a double rounds. It does
 * not recurse and does not judge whether the text is JSON.
 */
import { FORBIDDEN_NAMES, SPEC_DEPTH_MAX } from "./limits.ts";
import { fieldPath, itemPath } from "./path.ts";

export type Scan = {
  /** Path of the first value that is nested too deep. */
  readonly tooDeep?: string;
  readonly forbidden: readonly string[];
  readonly repeated: readonly string[];
  readonly rounded: readonly string[];
};

type Frame = { readonly path: string; readonly names?: Set<string>; name: string; index: number };

const NOTES_MAX = 20;

export function scanSpec(text: string): Scan {
  const forbidden: string[] = [];
  const repeated: string[] = [];
  const rounded: string[] = [];
  const open: Frame[] = [];
  const here = (): string => {
    const frame = open.at(-1);
    if (frame === undefined) return "";
    return frame.names === undefined ? itemPath(frame.path, frame.index) : fieldPath(frame.path, frame.name);
  };
  const note = (list: string[], path: string): void => void (list.length < NOTES_MAX && list.push(path));

  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character === "{" || character === "[") {
      if (open.length === SPEC_DEPTH_MAX) return { tooDeep: here(), forbidden, repeated, rounded };
      const path = here();
      open.push(
        character === "[" ? { path, name: "", index: 0 } : { path, names: new Set(), name: "", index: 0 },
      );
    } else if (character === "}" || character === "]") open.pop();
    else if (character === ",") {
      const frame = open.at(-1);
      if (frame !== undefined) frame.index += 1;
    } else if (character === '"') {
      const end = closingQuote(text, at);
      const frame = open.at(-1);
      if (frame?.names !== undefined && isName(text, end + 1)) {
        frame.name = unquoted(text.slice(at, end + 1));
        if (FORBIDDEN_NAMES.has(frame.name)) note(forbidden, here());
        if (frame.names.has(frame.name)) note(repeated, here());
        frame.names.add(frame.name);
      }
      at = end;
    } else if ((character >= "0" && character <= "9") || character === "-") {
      const end = endOfNumber(text, at);
      if (isRounded(text.slice(at, end))) note(rounded, here());
      at = end - 1;
    }
  }
  return { forbidden, repeated, rounded };
}

function closingQuote(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

/** A text that `JSON.parse` will refuse may come by here first. */
function unquoted(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal;
  }
}

function isName(text: string, from: number): boolean {
  let at = from;
  while (" \n\t\r".includes(text[at] ?? "x")) at += 1;
  return text[at] === ":";
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && "0123456789+-.eE".includes(text[at] as string)) at += 1;
  return at;
}

/** A longer one is beyond the range of a double, which is an error of its own. */
const INTEGER_DIGITS_MAX = 308;

function isRounded(literal: string): boolean {
  if (literal.length <= 15 || literal.length > INTEGER_DIGITS_MAX || !/^-?\d+$/.test(literal)) return false;
  const value = Number(literal);
  return String(value) !== literal && BigInt(literal) !== BigInt(value);
}
