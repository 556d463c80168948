import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Earthquake, mistakesByHand, type OutputLine } from "../earthquakes.ts";
import type { Check } from "../check.ts";
import { figureOf, hasGapRatio, isGreen, runMainJob, switchedEverywhere } from "../main-job.ts";

/** 17 s: enough equal windows beside the marker, few enough to be short. */
const RATE = 100;

export const check: Check = {
  id: "A-other",
  title: "--input --model --change on another real file: earthquakes, with nested values and nulls",
  async run(context) {
    const dir = await mkdtemp(join(tmpdir(), "greco-accept-"));
    try {
      const file = join(context.root, "node_modules/vega-datasets/data/earthquakes.json");
      const { features } = JSON.parse(await readFile(file, "utf8")) as { features: Earthquake[] };
      const input = join(dir, "earthquakes.json");
      await writeFile(input, JSON.stringify(features));
      const out = join(dir, "out.jsonl");
      const models = join(context.root, "tools/accept/earthquakes");
      const { code, report, errors } = await runMainJob(context, [
        "--input",
        input,
        "--model",
        join(models, "v1"),
        "--change",
        join(models, "v2"),
        "--rate",
        String(RATE),
        "--out",
        out,
      ]);
      if (report === undefined) return { figure: `no report; ${errors.slice(-400)}`, pass: false };
      const lines = (await readFile(out, "utf8"))
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as OutputLine);
      const complete =
        lines.length === report.outputs &&
        lines.every((line) => ["query", "lane", "seq", "epoch", "output"].every((field) => field in line));
      const pass =
        code === 0 &&
        isGreen(report) &&
        report.inputs === features.length &&
        report.outputs > 0 &&
        switchedEverywhere(report) &&
        hasGapRatio(report) &&
        complete;
      const mistakes = mistakesByHand(features, lines, report.switch.epoch);
      const hand =
        mistakes.length === 0 ? "as worked out by hand" : `not as worked out by hand: ${mistakes[0]}`;
      return { figure: `${figureOf(report)}, ${hand}`, pass: pass && mistakes.length === 0 };
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};
