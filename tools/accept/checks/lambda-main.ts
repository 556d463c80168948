import type { Check, CheckContext, Outcome } from "../check.ts";
import { figureOf, isGreen, type MainReport, runMainJob, switchedEverywhere } from "../main-job.ts";

/** Every result by the version that its epoch names, and the epochs name different ones. */
function byTheEpochsVersion({ lambda, outputs }: MainReport): boolean {
  if (lambda === undefined) return false;
  const versions = Object.values(lambda.versions);
  const differ = versions.length === 2 && new Set(versions).size === 2 && !versions.includes("none");
  return differ && lambda.messages >= outputs && lambda.unseen === 0 && lambda.wrongVersion === 0;
}

async function on(engines: "embedded" | "real", context: CheckContext): Promise<Outcome> {
  const { code, report, errors } = await runMainJob(context, ["--runtime", "lambda", "--engines", engines]);
  if (report === undefined) return { figure: `${engines}: no report; ${errors.slice(-600)}`, pass: false };
  const vetoed = report.vetoes.some(
    (veto) => veto.conductor === "conductor-lambda" && veto.reason === "UNKNOWN_FIELD",
  );
  const pass =
    code === 0 &&
    isGreen(report) &&
    report.inputs === 20_000 &&
    report.outputs === 20_000 &&
    switchedEverywhere(report) &&
    byTheEpochsVersion(report) &&
    vetoed;
  const { calls = 0, messages = 0, unseen = 0, wrongVersion = 0, versions = {} } = report.lambda ?? {};
  const named = Object.entries(versions).map(([epoch, version]) => `${epoch} version ${version}`);
  return {
    figure: `${engines}: ${figureOf(report)}; ${calls} calls with ${messages} messages, unseen ${unseen}, by another version ${wrongVersion} (${named.join(", ")})`,
    pass,
  };
}

export const check: Check = {
  id: "C-main",
  title:
    "npm start -- --runtime lambda: the main job on functions, embedded and on real engines; each executed version is the epoch's",
  async run(context) {
    const outcomes = [await on("embedded", context), await on("real", context)];
    return {
      figure: outcomes.map(({ figure }) => figure).join(" | "),
      pass: outcomes.every(({ pass }) => pass),
    };
  },
};
