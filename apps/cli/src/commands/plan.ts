/** `greco plan`: every conductor's review of a draft, with no effect; answers are shown as they come. */
import type { Command } from "commander";
import {
  PlanResponseSchema,
  PlanStep_Action,
  type PlanStep,
  PlanStep_Risk,
  PlanStep_RiskSchema,
  type PlanResponse,
  type VoterStatus,
  VoterStatus_Vote,
} from "@greco/contracts/greco/commit/v1/commit";
import { EXIT } from "../cli-error.ts";
import type { Context, Runner } from "../context.ts";
import { differenceText, findingText } from "../difference-view.ts";
import { getDraft } from "../drafts.ts";
import { enumName } from "../enum-name.ts";
import { isError } from "../finding-view.ts";
import type { Output, Paint } from "../output.ts";
import { plain } from "../plain.ts";
import { nameOfIdentity, shortName } from "../short-name.ts";
import { oneLine } from "../text.ts";
import { durationText } from "../times.ts";

export function addPlanCommand(program: Command, { run }: Runner): void {
  program
    .command("plan <draft>")
    .description(
      "every conductor's review, with no effect; exit code 0: no change, 2: changes that would be accepted, 1: refused",
    )
    .action(run<[string], unknown>(plan));
}

async function plan(context: Context, _options: unknown, name: string): Promise<void> {
  const draft = await getDraft(context, name);
  const { commit } = await context.clients();
  const screen = planScreen(context.output);
  const items = context.output.items();
  let acceptable = false;
  let changes = draft.changeCount;
  try {
    for await (const response of commit.plan(
      { draft: draft.name, etag: draft.etag },
      { signal: context.signal },
    )) {
      const { part } = response;
      if (part.case === "summary") acceptable = part.value.acceptable;
      if (part.case === "header") changes = part.value.changeCount;
      items.item(plain(PlanResponseSchema, response), () => screen(part));
    }
  } finally {
    items.end();
  }
  if (!acceptable) context.exit(EXIT.failed);
  else if (changes > 0n) context.exit(EXIT.differs);
}

/** For people: first what changes, then who says what of it, then the verdict, in whatever order answers come. */
function planScreen(output: Output): (part: PlanResponse["part"]) => string {
  const voters = new Map<string, string>();
  let changes = 0n;
  let shown = 0;
  let drawn = 0;
  const waiting = (lines: readonly string[]): void => {
    if (!output.live) return;
    output.redraw(drawn, lines);
    drawn = lines.length;
  };
  return (part) => {
    const answered = part.case === "conductor" ? shortName(part.value.conductor) : undefined;
    if (part.case === "conductor") voters.set(part.value.conductor, voterTextOf(output, part.value));
    waiting(
      answered === undefined ? [] : [`${voters.size} conductors have answered, the last ${answered} …`],
    );
    if (part.case === "conductor") return "";
    if (part.case === "header") changes = part.value.changeCount;
    if (part.case === "difference") shown += 1;
    if (part.case !== "summary") return partText(output, part);
    const opinions = [...voters].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
    const rest = Number(changes) - shown;
    const unseen = rest > 0 ? `  … and ${rest} more changes: greco draft diff shows all\n` : "";
    return `${unseen}\n${opinions.join("")}${partText(output, part)}`;
  };
}

const indented = (text: string): string => text.replace(/^(?=.)/gm, "    ");

function partText(output: Output, part: PlanResponse["part"]): string {
  switch (part.case) {
    case "header": {
      const { changeCount, baseVersion, scope, scopeCount, findings, findingCount } = part.value;
      const changes = `${changeCount === 1n ? "one change" : `${changeCount} changes`} to version ${baseVersion}`;
      const streams = [...scope.map(nameOfIdentity), ...beyond(scopeCount, scope)].join(", ");
      const markers = scope.length === 0 ? "" : `; markers in ${streams}`;
      const found = [
        ...findings.map((each) => findingText(output, each)),
        ...moreFindings(findingCount, findings),
      ];
      return `${changes}${markers}\n${found.join("")}\n`;
    }
    case "difference":
      return differenceText(output, part.value);
    case "conductor":
      return voterTextOf(output, part.value);
    case "summary": {
      const { findings, findingCount, silent, acceptable } = part.value;
      const verdict = acceptable
        ? output.paint("green", "It would be committed.")
        : output.paint("red", "It would not be committed.");
      return [
        ...findings.map((each) => findingText(output, each)),
        ...moreFindings(findingCount, findings),
        ...silent.map(
          (conductor) => `${output.paint("yellow", "?")} ${shortName(conductor)}: no answer in time\n`,
        ),
        `\n${verdict}\n`,
      ].join("");
    }
    case undefined:
      return "";
  }
}

/** What one message does not hold. */
function beyond(count: bigint, shown: readonly unknown[]): readonly string[] {
  const rest = Number(count) - shown.length;
  return rest > 0 ? [`${rest} more`] : [];
}

const moreFindings = (count: bigint, shown: readonly unknown[]): readonly string[] =>
  beyond(count, shown).map((text) => `  … and ${text}: mend these, and plan again\n`);

function verdictOf({ vote, findings }: VoterStatus): { sign: string; paint: Paint; text: string } {
  if (vote === VoterStatus_Vote.VETO || findings.some(isError))
    return { sign: "✗", paint: "red", text: "would veto" };
  if (vote === VoterStatus_Vote.ACCEPT) return { sign: "✓", paint: "green", text: "would accept" };
  return { sign: "?", paint: "yellow", text: "gave no opinion" };
}

function voterTextOf(output: Output, voter: VoterStatus): string {
  const { sign, paint, text } = verdictOf(voter);
  const time = durationText(voter.plan?.prepareTime);
  const cost = voter.plan?.cost ?? "";
  const more = [
    time === "" || time === "0s" ? "" : `ready in ${time}`,
    cost === "" ? "" : `costs ${oneLine(cost)}`,
  ].filter((each) => each !== "");
  const head = [`${shortName(voter.conductor)} ${text}`, ...more].join(", ");
  return [
    `${output.paint(paint, sign)} ${head}\n`,
    ...(voter.plan?.steps ?? []).map((step) => stepText(output, step)),
    ...voter.findings.map((each) => indented(findingText(output, each))),
  ].join("");
}

const STEP: Readonly<Record<PlanStep_Action, readonly [sign: string, paint: Paint]>> = {
  [PlanStep_Action.UNSPECIFIED]: [" ", "dim"],
  [PlanStep_Action.CREATE]: ["+", "green"],
  [PlanStep_Action.UPDATE]: ["~", "yellow"],
  [PlanStep_Action.DELETE]: ["-", "red"],
};

function stepText(output: Output, { action, object, risk, note }: PlanStep): string {
  const [sign, paint] = STEP[action] ?? STEP[PlanStep_Action.UNSPECIFIED];
  const danger =
    risk === PlanStep_Risk.HIGH || risk === PlanStep_Risk.MEDIUM
      ? `, ${output.paint(risk === PlanStep_Risk.HIGH ? "red" : "yellow", `${enumName(PlanStep_RiskSchema, risk)} risk`)}`
      : "";
  const why = note === "" ? "" : `: ${oneLine(note)}`;
  return `    ${output.paint(paint, sign)} ${oneLine(object)}${danger}${why}\n`;
}
