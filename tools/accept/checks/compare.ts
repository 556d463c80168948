import type { Check } from "../check.ts";
import { isGreen, runMainJob } from "../main-job.ts";

export const check: Check = {
  id: "A-compare",
  title: "--compare rolling: ordinary reloads pay wrong money, Greco none",
  async run(context) {
    const { code, report, errors } = await runMainJob(context, ["--compare", "rolling"]);
    if (report?.compare === undefined) return { figure: `no comparison; ${errors.slice(-400)}`, pass: false };
    const { rolling, greco } = report.compare;
    const tell = ({ mixedFlights, lateFlights, wrongEuros }: typeof rolling): string =>
      `€${wrongEuros} wrong (${mixedFlights} flights by a mixture, ${lateFlights} by old rules)`;
    const figure = `rolling: ${tell(rolling)}; Greco: ${tell(greco)}`;
    return {
      figure,
      pass:
        code === 0 &&
        isGreen(report) &&
        rolling.wrongEuros > 0 &&
        greco.wrongEuros === 0 &&
        greco.mixedFlights + greco.lateFlights === 0,
    };
  },
};
