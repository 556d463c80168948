/** What conductors found outside, as people and scripts read it, and with which exit code it ends. */
import {
  InspectResponseSchema,
  type Drift,
  type InspectedBy,
  type InspectResponse,
} from "@greco/contracts/greco/commit/v1/commit";
import { EXIT } from "./cli-error.ts";
import type { Context } from "./context.ts";
import type { Output, Paint } from "./output.ts";
import { plain } from "./plain.ts";
import { shortName } from "./short-name.ts";
import { oneLine } from "./text.ts";

export type Verb = "drift" | "repair";

type Verdict = { readonly differs: boolean; readonly failed: boolean };

export async function showInspection(
  { output, exit }: Pick<Context, "output" | "exit">,
  responses: AsyncIterable<InspectResponse>,
  verb: Verb,
): Promise<void> {
  const items = output.items();
  const found: InspectedBy[] = [];
  let silent: readonly string[] = [];
  let asked = 0;
  let ended = false;
  let drawn = 0;
  const waiting = (lines: readonly string[]): void => {
    if (!output.live) return;
    output.redraw(drawn, lines);
    drawn = lines.length;
  };
  try {
    for await (const response of responses) {
      const { part } = response;
      if (part.case === "header") asked = part.value.conductors.length;
      if (part.case === "conductor") found.push(part.value);
      if (part.case === "summary") {
        ended = true;
        ({ silent } = part.value);
      }
      waiting(ended ? [] : [`${found.length} of ${asked} conductors have answered …`]);
      items.item(plain(InspectResponseSchema, response), () =>
        part.case === "summary" ? inspectionText(output, found, silent, verb) : "",
      );
    }
  } finally {
    items.end();
  }
  const { differs, failed } = verdictOf(found, silent);
  if (failed) exit(EXIT.failed);
  else if (differs) exit(EXIT.differs);
}

/** Where somebody could not look, nobody knows whether it differs. */
function verdictOf(found: readonly InspectedBy[], silent: readonly string[]): Verdict {
  const all = found.flatMap(({ inspected }) => inspected ?? []);
  return {
    failed: silent.length > 0 || all.some(({ failure }) => failure !== ""),
    differs: all.some(isUnmended),
  };
}

/** Of what is not told it is not known whether it is mended. */
const isUnmended = ({ drifts, driftCount }: NonNullable<InspectedBy["inspected"]>): boolean =>
  driftCount > BigInt(drifts.length) || drifts.some(({ mended }) => !mended);

export function inspectionText(
  output: Output,
  found: readonly InspectedBy[],
  silent: readonly string[],
  verb: Verb,
): string {
  const { differs, failed } = verdictOf(found, silent);
  const blocks = found
    .toSorted((a, b) => (a.conductor < b.conductor ? -1 : 1))
    .map((each) => conductorText(output, each));
  const absent = silent.map((each) =>
    headText(
      output,
      SIGN.unknown,
      `${shortName(each)}: no answer in time; greco conductor list tells when it was last heard`,
    ),
  );
  return [
    ...blocks,
    ...absent,
    `\n${conclusion(output, { differs, failed }, verb, found.length + silent.length)}\n`,
  ].join("");
}

type Sign = readonly [sign: string, paint: Paint];
const SIGN = {
  same: ["✓", "green"],
  differs: ["✗", "red"],
  unknown: ["?", "yellow"],
  none: ["-", "dim"],
} as const satisfies Readonly<Record<string, Sign>>;

const headText = (output: Output, [sign, paint]: Sign, text: string): string =>
  `${output.paint(paint, sign)} ${text}\n`;

function conductorText(output: Output, { conductor, inspected }: InspectedBy): string {
  const name = shortName(conductor);
  if (inspected?.supported !== true)
    return headText(output, SIGN.none, `${name}: makes nothing outside that it could look at`);
  const { version, drifts, driftCount, changing, changingCount, failure } = inspected;
  const head =
    failure !== ""
      ? headText(output, SIGN.unknown, `${name}: could not look: ${oneLine(failure)}`)
      : driftCount === 0n
        ? headText(output, SIGN.same, `${name}: as version ${version} says`)
        : headText(
            output,
            isUnmended(inspected) ? SIGN.differs : SIGN.same,
            `${name}: ${driftCount === 1n ? "one difference" : `${driftCount} differences`} from version ${version}`,
          );
  const rest = driftCount - BigInt(drifts.length);
  const more = rest > 0n ? `    … and ${rest} more: settle these, and look again\n` : "";
  return [
    head,
    ...drifts.map((each) => driftText(output, each)),
    more,
    changingText(changing, changingCount),
  ].join("");
}

function driftText(output: Output, { entity, object, reason, message, remedy, mended }: Drift): string {
  const place = [shortName(entity), oneLine(object)].filter((part) => part !== "").join(", ");
  const [sign, paint] = mended ? SIGN.same : SIGN.differs;
  const first = `    ${output.paint(paint, sign)} ${place}: ${oneLine(message)} [${oneLine(reason)}]`;
  const second = mended ? "put back" : oneLine(remedy);
  return `${first}\n${second === "" ? "" : `      → ${second}\n`}`;
}

const NAMED = 5;

function changingText(changing: readonly string[], count: bigint): string {
  if (count === 0n) return "";
  const named = changing.slice(0, NAMED).map(shortName);
  const rest = count - BigInt(named.length);
  const all = [...named, ...(rest > 0n ? [`${rest} more`] : [])].join(", ");
  return `    left out, as a proposal is changing them: ${all}\n`;
}

function conclusion(output: Output, { differs, failed }: Verdict, verb: Verb, asked: number): string {
  if (asked === 0) return "No conductor has a vote in this model, so nothing stands outside.";
  if (failed) return output.paint("yellow", "Not all have looked, so what differs is not known.");
  if (!differs) return output.paint("green", "Nothing differs.");
  const next =
    verb === "drift"
      ? "It differs: greco repair puts back what can be put back."
      : "It still differs: what is left needs you, as each line says.";
  return output.paint("red", next);
}
