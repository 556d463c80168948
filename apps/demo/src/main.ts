// `npm start`: the main job on real data. What it does is told in main-job.ts; this wires it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Dev, type DevOptions, startDev } from "@greco/dev";
import { systemClock } from "@greco/service-kit";
import type { CheckReport } from "./checker.ts";
import { type EntityFile, readEntities } from "@greco/entity-files";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import { compensationByHand, queryOf } from "./evaluate.ts";
import { checkExecutions, type ExecutionReport, versionsOf } from "./executions.ts";
import type { Door, LambdaTarget } from "./lambda-target.ts";
import { type Job, MainJob, withInferredSchema } from "./main-job.ts";
import { createNarrator, type Narrator } from "./narrator.ts";
import { type DemoOptions, parseOptions, USAGE, UsageError } from "./options.ts";
import { count, euros, isGreen, type Report, tell, toReport } from "./report.ts";
import { type Flight, RELOAD_EVERY_S, runRolling, type Wrong, wrongOf } from "./rolling.ts";
import { readInputs } from "./source.ts";

const models = (name: string): string => fileURLToPath(new URL(`../model/${name}`, import.meta.url));

/** What `greco dev` runs by itself, and one more where queries run on Lambda. */
const CONDUCTORS = { worker: 3, lambda: 4 } as const;

/** The same query, elsewhere. */
function runningOn(runtime: DemoOptions["runtime"], entities: readonly EntityFile[]): EntityFile[] {
  return entities.map((each) =>
    runtime === "lambda" && each.kind === "query" ? { ...each, spec: { ...each.spec, runtime } } : each,
  );
}

async function jobOf(options: DemoOptions): Promise<Job> {
  const conductors = CONDUCTORS[options.runtime];
  const entitiesOf = async (dir: string): Promise<EntityFile[]> =>
    runningOn(options.runtime, await readEntities(dir));
  const inputs = await readInputs(options.input);
  const first = withInferredSchema(await entitiesOf(options.modelDir ?? models("v1")), inputs);
  const second = withInferredSchema(await entitiesOf(options.changeDir ?? models("v2")), inputs);
  if (options.modelDir !== undefined) {
    return {
      model: "main-job",
      title: "your inputs",
      what: "inputs",
      inputs,
      first,
      second,
      wrong: [],
      rate: options.rate,
      conductors,
    };
  }
  const broken = await entitiesOf(models("broken"));
  const wrong = [
    ...first.filter((each) => !broken.some((other) => other.kind === each.kind && other.name === each.name)),
    ...broken,
  ];
  return {
    model: "airline",
    title: "delay compensation",
    what: "flights",
    inputs,
    first,
    second,
    wrong,
    rate: options.rate,
    conductors,
    byHand: [compensationByHand(1), compensationByHand(2)],
  };
}

/** A folder that is used again has the model of the run before: this run takes the next name. */
async function withFreeModel(job: Job, dev: Dev, signal: AbortSignal): Promise<Job> {
  const { models } = await dev.clients("admin").registry.listModels({ pageSize: 1_000 }, { signal });
  const taken = new Set(models.map((each) => each.name));
  let model = job.model;
  for (let next = 2; taken.has(`models/${model}`); next += 1) model = `${job.model}-${next}`;
  return { ...job, model };
}

async function compareRolling(
  job: Job,
  check: CheckReport,
  report: Report,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<Report> {
  narrator.step("The same change as ordinary reloads, runtime by runtime");
  const flights = job.inputs as unknown as Flight[];
  const rolling = await runRolling(flights, job.first, job.second, job.rate, signal);
  const greco = wrongOf(flights, check, report.switch.epoch);
  narrator.say(
    `a replay of the same flights through four simulated runtimes, which reload one after another: each its query, then its table, as two artefacts do; ${RELOAD_EVERY_S} s of ${job.rate} flights each between reloads`,
  );
  const row = (name: string, wrong: Wrong): string[] => [
    name,
    count(wrong.mixedFlights),
    count(wrong.lateFlights),
    euros(wrong.wrongEuros),
  ];
  narrator.table(
    ["", "flights paid by a mixture", "paid by old rules after the change", "euros paid wrongly"],
    [row("rolling reload", rolling), row("greco", greco)],
  );
  return { ...report, compare: { rolling, greco } };
}

/** Undefined: embedded. Their tools are loaded only where they are asked for. */
async function enginesOf(
  { engines }: DemoOptions,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<DevOptions["engines"]> {
  if (engines === "embedded") return undefined;
  const { realEngines } = await import("./real-engines.ts");
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  return realEngines(stack, process.env, say, signal);
}

async function lambdaOf(
  { runtime }: DemoOptions,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<LambdaTarget | undefined> {
  if (runtime === "worker") return undefined;
  const { lambdaTarget } = await import("./lambda-target.ts");
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  return lambdaTarget(stack, process.env, say, signal);
}

/** Which version handled which message, beside which the ledger names. */
async function executionsOf(
  dev: Dev,
  door: Door,
  { job, check, epoch }: { readonly job: Job; readonly check: CheckReport; readonly epoch: number },
  signal: AbortSignal,
): Promise<ExecutionReport> {
  // Everything of this model is made by version 1, so identities carry it.
  const query = entityIdentity(entityKey("query", queryOf(job.first).name), epoch - 1);
  const versions = await versionsOf(dev, modelId(job.model), query, signal);
  return checkExecutions(door.seen(), check.records, versions);
}

async function run(options: DemoOptions, signal: AbortSignal): Promise<number> {
  const sink = options.json ? process.stderr : process.stdout;
  const narrator = createNarrator(sink, sink.isTTY && (process.env["NO_COLOR"] ?? "") === "");
  const dir = options.data ?? (await mkdtemp(join(tmpdir(), "greco-")));
  try {
    await using stack = new AsyncDisposableStack();
    const engines = await enginesOf(options, stack, signal);
    const lambda = await lambdaOf(options, stack, signal);
    const dev = stack.use(
      await startDev(
        { dataDir: dir, portBase: options.portBase, logLevel: "error", engines, lambda },
        signal,
      ),
    );
    const job = await withFreeModel(await jobOf(options), dev, signal);
    const main = new MainJob({
      job,
      clients: dev.clients("admin"),
      lanes: dev.laneStore,
      clock: systemClock,
      narrator,
    });
    const { check, vetoes, epoch } = await main.run(signal);
    let report = toReport(check, vetoes, epoch);
    if (lambda?.door !== undefined)
      report = { ...report, lambda: await executionsOf(dev, lambda.door, { job, check, epoch }, signal) };
    const expected = job.byHand === undefined ? "by the same CEL library, without the runtime" : "by hand";
    narrator.step(`The checker: it reads the stored lanes itself, and works each result out ${expected}`);
    tell(narrator, check, report, job.what);
    if (options.compare !== undefined) report = await compareRolling(job, check, report, narrator, signal);
    if (options.out !== undefined) {
      await writeFile(options.out, check.records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    }
    narrator.say("");
    narrator.say(
      isGreen(report)
        ? "Nothing lost, nothing twice, nothing under the wrong version."
        : "NOT GREEN: see above.",
    );
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    if (!options.once) {
      narrator.step("Still serving; Ctrl-C ends it. Try next, in another terminal:");
      for (const line of dev.hints(job.model)) narrator.say(line);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    }
    return isGreen(report) ? 0 : 1;
  } finally {
    if (options.data === undefined) await rm(dir, { recursive: true, force: true });
  }
}

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
}
try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${USAGE}\n`);
  else process.exitCode = await run(options, stop.signal);
} catch (error) {
  if (stop.signal.aborted) process.exitCode = 130;
  else {
    process.stderr.write(
      `${error instanceof UsageError || process.env["GRECO_DEBUG"] === undefined ? (error as Error).message : (error as Error).stack}\n`,
    );
    process.exitCode = 1;
  }
}
