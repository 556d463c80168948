/** The figures of a run: as one JSON object for machines, as a table for people. */
import type { CheckReport } from "./checker.ts";
import type { ExecutionReport } from "./executions.ts";
import type { Narrator } from "./narrator.ts";
import type { Wrong } from "./rolling.ts";
import type { Veto } from "./story.ts";

export type Report = {
  readonly inputs: number;
  readonly outputs: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly misapplied: number;
  readonly vetoes: readonly Veto[];
  readonly switch: {
    readonly epoch: number;
    readonly lanes: CheckReport["lanes"];
    readonly gapRatio: number | null;
  };
  readonly compare?: { readonly rolling: Wrong; readonly greco: Wrong };
  /** Where the queries run on Lambda. */
  readonly lambda?: ExecutionReport;
};

export function toReport(check: CheckReport, vetoes: readonly Veto[], epoch: number): Report {
  const { inputs, outputs, lost, duplicated, misapplied, lanes } = check;
  const gapRatio = check.gapRatio === undefined ? null : Math.round(check.gapRatio * 100) / 100;
  return { inputs, outputs, lost, duplicated, misapplied, vetoes, switch: { epoch, lanes, gapRatio } };
}

export const isGreen = ({ lost, duplicated, misapplied, inputs, lambda }: Report): boolean =>
  lost === 0 &&
  duplicated === 0 &&
  misapplied === 0 &&
  inputs > 0 &&
  (lambda === undefined || (lambda.unseen === 0 && lambda.wrongVersion === 0));

export const count = (value: number): string => value.toLocaleString("en-GB");
export const euros = (value: number): string => `€${count(value)}`;

/** Euros by the version that paid them, from the outputs that are stored. */
export function eurosByEpoch(check: CheckReport): Map<number, number> {
  const sums = new Map<number, number>();
  for (const { epoch, output } of check.records) {
    const paid = (output as { euros?: unknown }).euros;
    if (typeof paid === "number") sums.set(epoch, (sums.get(epoch) ?? 0) + paid);
  }
  return sums;
}

export function tell(narrator: Narrator, check: CheckReport, report: Report, what: string): void {
  const paid = eurosByEpoch(check);
  const money = [...paid.values()].some((sum) => sum > 0);
  const old = report.switch.epoch - 1;
  narrator.table(
    ["lane", "marker at", `${what} before`, `${what} after`],
    report.switch.lanes.map((lane) => [
      lane.lane,
      lane.markerSeq === 0 ? "–" : count(lane.markerSeq),
      count(lane.before),
      count(lane.after),
    ]),
  );
  if (money) {
    narrator.table(
      ["paid under", "euros"],
      [
        [`version ${old}`, euros(paid.get(old) ?? 0)],
        [`version ${report.switch.epoch}`, euros(paid.get(report.switch.epoch) ?? 0)],
      ],
    );
  }
  narrator.table(
    ["checked from the raw file and the stored lanes", ""],
    [
      [`${what} in`, count(report.inputs)],
      ["results out", count(report.outputs)],
      ["lost", count(report.lost)],
      ["duplicated", count(report.duplicated)],
      ["misapplied", count(report.misapplied)],
      [
        "largest gap at the marker ÷ usual",
        report.switch.gapRatio === null ? "too few windows" : report.switch.gapRatio.toFixed(2),
      ],
    ],
  );
  if (report.lambda !== undefined) tellExecutions(narrator, report.lambda);
  for (const { kind, where, what: why } of check.mistakes) narrator.say(`${kind} at ${where}: ${why}`);
}

function tellExecutions(narrator: Narrator, lambda: ExecutionReport): void {
  narrator.table(
    ["functions, as seen between the runtime and Lambda", ""],
    [
      ...Object.entries(lambda.versions).map(([epoch, version]) => [`${epoch} names version`, version]),
      ["calls", count(lambda.calls)],
      ["messages in them", count(lambda.messages)],
      ["results without a call", count(lambda.unseen)],
      ["handled by another version than the epoch's", count(lambda.wrongVersion)],
    ],
  );
}
