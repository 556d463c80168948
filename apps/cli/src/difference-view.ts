/** Differences and findings on the screen, as diff, plan and drafts show them. */
import { stringify } from "yaml";
import { type Difference, Difference_Kind } from "@greco/contracts/greco/model/v1/model";
import type { Context } from "./context.ts";
import { diffLines } from "./diff-lines.ts";
import { findingLines, type FindingView, isError } from "./finding-view.ts";
import type { Output, Paint } from "./output.ts";
import { shortName } from "./short-name.ts";
import { printable } from "./text.ts";

const SIGN = new Map<Difference_Kind, { readonly sign: string; readonly paint: Paint }>([
  [Difference_Kind.CREATE, { sign: "+", paint: "green" }],
  [Difference_Kind.UPDATE, { sign: "~", paint: "yellow" }],
  [Difference_Kind.DELETE, { sign: "-", paint: "red" }],
]);

/** As the files have it; a text of several lines is compared line by line. */
const yamlOf = (json: string): string =>
  json === "" ? "" : stringify(JSON.parse(json), { lineWidth: 0 }).trimEnd();

function colourOf(line: string): Paint | undefined {
  if (line.startsWith("+")) return "green";
  return line.startsWith("-") ? "red" : undefined;
}

export function differenceText(output: Output, difference: Difference): string {
  const { sign, paint } = SIGN.get(difference.kind) ?? { sign: "?", paint: "dim" };
  const lines = [output.paint(paint, `${sign} ${shortName(difference.entity)}`)];
  for (const line of diffLines(yamlOf(difference.beforeSpecJson), yamlOf(difference.afterSpecJson))) {
    const colour = colourOf(line);
    const text = printable(line);
    lines.push(`    ${colour === undefined ? text : output.paint(colour, text)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** As notes, beside the data that a command has. */
export function noteFindings(context: Context, findings: readonly FindingView[], title: string): void {
  if (findings.length === 0) return;
  const { output } = context;
  output.note(title);
  for (const finding of findings) {
    const sign = isError(finding) ? output.paintNote("red", "✗") : output.paintNote("yellow", "!");
    const [first = "", ...more] = findingLines(finding).map(printable);
    output.note(`  ${sign} ${first}`);
    for (const line of more) output.note(`    ${line}`);
  }
}

/** As data, on stdout. */
export function findingText(output: Output, finding: FindingView): string {
  const sign = isError(finding) ? output.paint("red", "✗") : output.paint("yellow", "!");
  const [first = "", ...more] = findingLines(finding).map(printable);
  return [`${sign} ${first}`, ...more.map((line) => `  ${line}`), ""].join("\n");
}
