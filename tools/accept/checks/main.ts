import type { Check } from "../check.ts";
import { figureOf, hasGapRatio, isGreen, runMainJob, switchedEverywhere } from "../main-job.ts";

export const check: Check = {
  id: "A-main",
  title:
    "npm start -- --once --json: 20,000 flights, a veto, a switch in mid-stream, nothing lost, twice or mixed",
  async run(context) {
    const { code, report, errors } = await runMainJob(context, []);
    if (report === undefined) return { figure: `no report; ${errors.slice(-400)}`, pass: false };
    const vetoed = report.vetoes.some(
      (veto) => veto.reason === "UNKNOWN_FIELD" && veto.fieldPath === "select.euros",
    );
    const pass =
      code === 0 &&
      isGreen(report) &&
      report.inputs === 20_000 &&
      switchedEverywhere(report) &&
      hasGapRatio(report) &&
      vetoed;
    return { figure: `${figureOf(report)}, vetoes ${report.vetoes.length}`, pass };
  },
};
