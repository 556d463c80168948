// Runs the main job as a process of its own, as a user does, and reads its last line.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { CheckContext } from "./check.ts";

type Wrong = { readonly mixedFlights: number; readonly lateFlights: number; readonly wrongEuros: number };

export type MainReport = {
  readonly inputs: number;
  readonly outputs: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly misapplied: number;
  readonly vetoes: readonly {
    readonly conductor: string;
    readonly fieldPath: string;
    readonly reason: string;
  }[];
  readonly switch: {
    readonly epoch: number;
    readonly lanes: readonly {
      readonly lane: string;
      readonly markerSeq: number;
      readonly before: number;
      readonly after: number;
    }[];
    readonly gapRatio: number | null;
  };
  readonly lambda?: {
    readonly calls: number;
    readonly messages: number;
    readonly unseen: number;
    readonly wrongVersion: number;
    readonly versions: Readonly<Record<string, string>>;
  };
  readonly compare?: {
    readonly rolling: Wrong;
    readonly greco: Wrong;
  };
};

export async function runMainJob(
  context: CheckContext,
  args: readonly string[],
): Promise<{ code: number | null; report: MainReport | undefined; errors: string }> {
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(context.root, "apps/demo/src/main.ts"),
      "--once",
      "--json",
      ...args,
    ],
    {
      cwd: context.root,
      stdio: ["ignore", "pipe", "pipe"],
      signal: context.signal,
    },
  );
  let out = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const last = out.trimEnd().split("\n").at(-1) ?? "";
  return { code, report: last.startsWith("{") ? (JSON.parse(last) as MainReport) : undefined, errors };
}

export const figureOf = (report: MainReport): string => {
  const lanes = report.switch.lanes.map((lane) => `${lane.markerSeq}`).join("/");
  return `${report.inputs} in, ${report.outputs} out, lost ${report.lost}, duplicated ${report.duplicated}, misapplied ${report.misapplied}, markers at ${lanes}, gap ratio ${report.switch.gapRatio}`;
};

export const isGreen = (report: MainReport): boolean =>
  report.inputs > 0 && report.lost === 0 && report.duplicated === 0 && report.misapplied === 0;

/** A run that is too short to compare the gap at the marker has not shown it: null fails. How large it may be is A-gap's. */
export const hasGapRatio = (report: MainReport): boolean => typeof report.switch.gapRatio === "number";

/** Every lane of the source switched in mid-stream. */
export const switchedEverywhere = (report: MainReport): boolean =>
  report.switch.lanes.length > 1 &&
  report.switch.lanes.every((lane) => lane.markerSeq > 1 && lane.before > 0 && lane.after > 0);
