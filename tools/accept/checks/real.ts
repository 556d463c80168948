import type { Check } from "../check.ts";
import { figureOf, isGreen, runMainJob, switchedEverywhere } from "../main-job.ts";

const SERVES = ["etcd", "nats", "cassandra"].map((name) => `${name}: serves at `);

export const check: Check = {
  id: "B-main",
  title:
    "npm start -- --engines real --once --json: the main job on etcd, NATS and Cassandra, with the same report",
  async run(context) {
    const { code, report, errors } = await runMainJob(context, ["--engines", "real"]);
    if (report === undefined) return { figure: `no report; ${errors.slice(-400)}`, pass: false };
    const vetoed = report.vetoes.some(
      (veto) => veto.reason === "UNKNOWN_FIELD" && veto.fieldPath === "select.euros",
    );
    const pass =
      code === 0 &&
      isGreen(report) &&
      report.inputs === 20_000 &&
      report.outputs === 20_000 &&
      switchedEverywhere(report) &&
      vetoed &&
      SERVES.every((line) => errors.includes(line));
    return { figure: `${figureOf(report)}, vetoes ${report.vetoes.length}`, pass };
  },
};
