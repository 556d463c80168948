/** C-main's shortest: the main job with few flights, its query as a function on the stand-in that all tests share. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import { startDev } from "@greco/dev";
import { type EntityFile, readEntities } from "@greco/entity-files";
import { systemClock, systemIds } from "@greco/service-kit";
import { expect, it } from "vitest";
import { compensationByHand } from "../evaluate.ts";
import { checkExecutions, versionsOf } from "../executions.ts";
import { lambdaTarget } from "../lambda-target.ts";
import { MainJob } from "../main-job.ts";
import type { Narrator } from "../narrator.ts";
import { readInputs } from "../source.ts";

const JOB_MS = 170_000;
const FLIGHTS = 2_000;
const RATE = 250;

const models = (name: string): string => fileURLToPath(new URL(`../../model/${name}`, import.meta.url));

async function onLambda(name: string): Promise<EntityFile[]> {
  const entities = await readEntities(models(name));
  return entities.map((each) =>
    each.kind === "query" ? { ...each, spec: { ...each.spec, runtime: "lambda" } } : each,
  );
}

it("I6, I8: the main job on functions: each message by the version that its epoch names, and once", async () => {
  const signal = AbortSignal.timeout(JOB_MS);
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "greco-lambda-job-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const lambda = await lambdaTarget(stack, process.env, () => undefined, signal);
  const dev = stack.use(await startDev({ dataDir, logLevel: "error", lambda }, signal));
  const [first, broken] = [await onLambda("v1"), await onLambda("broken")];
  const nothing = (): void => undefined;
  const narrator: Narrator = { step: nothing, say: nothing, live: nothing, table: nothing };
  const model = `lambda-job-${systemIds.next().toLowerCase()}`;
  const job = {
    ...{ model, title: "delay compensation", what: "flights", rate: RATE, conductors: 4 },
    inputs: (await readInputs(undefined)).slice(0, FLIGHTS),
    first,
    second: await onLambda("v2"),
    wrong: [...first.filter(({ name }) => !broken.some((each) => each.name === name)), ...broken],
    byHand: [compensationByHand(1), compensationByHand(2)],
  } as const;
  const parts = { job, clients: dev.clients("admin"), lanes: dev.laneStore, clock: systemClock, narrator };
  const { check, vetoes, epoch } = await new MainJob(parts).run(signal);

  const { lost, duplicated, misapplied, mistakes, inputs, outputs, lanes } = check;
  expect({ lost, duplicated, misapplied, mistakes, inputs, outputs, epoch }).toEqual({
    ...{ lost: 0, duplicated: 0, misapplied: 0, mistakes: [] },
    ...{ inputs: FLIGHTS, outputs: FLIGHTS, epoch: 2 },
  });
  expect(vetoes.map(({ conductor, reason }) => [conductor, reason])).toEqual([
    ["conductor-lambda", "UNKNOWN_FIELD"],
  ]);
  expect(lanes.filter(({ before, after }) => before > 0 && after > 0)).toHaveLength(lanes.length);
  const query = entityIdentity(entityKey("query", "compensation"), 1);
  const versions = await versionsOf(dev, modelId(model), query, signal);
  expect(versions.get(1)).not.toBe(versions.get(2));
  const seen = lambda.door?.seen() ?? { calls: 0, executions: [] };
  const { messages, unseen, wrongVersion } = checkExecutions(seen, check.records, versions);
  expect({ unseen, wrongVersion }).toEqual({ unseen: 0, wrongVersion: 0 });
  expect(messages).toBeGreaterThanOrEqual(FLIGHTS);
});
