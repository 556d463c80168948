/** B-main's shortest: the main job with few flights, on the engines that all tests share. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDev } from "@greco/dev";
import { readEntities } from "@greco/entity-files";
import { systemClock, systemIds } from "@greco/service-kit";
import { expect, it } from "vitest";
import { compensationByHand } from "../evaluate.ts";
import { MainJob } from "../main-job.ts";
import type { Narrator } from "../narrator.ts";
import { realEngines } from "../real-engines.ts";
import { readInputs } from "../source.ts";

const JOB_MS = 170_000;
const FLIGHTS = 2_000;
const RATE = 250;

const models = (name: string): string => fileURLToPath(new URL(`../../model/${name}`, import.meta.url));

it("I6, I8: the main job on etcd, NATS and Cassandra: nothing lost, duplicated or misapplied", async () => {
  const signal = AbortSignal.timeout(JOB_MS);
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "greco-main-job-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const told: string[] = [];
  const id = systemIds.next().toLowerCase();
  const apart = { GRECO_ETCD_PREFIX: `${id}/`, GRECO_NATS_PREFIX: id, GRECO_KEYSPACE: `main_job_${id}` };
  const engines = await realEngines(
    stack,
    { ...process.env, ...apart },
    (line) => void told.push(line),
    signal,
  );
  const dev = stack.use(await startDev({ dataDir, logLevel: "error", engines }, signal));
  const first = await readEntities(models("v1"));
  const broken = await readEntities(models("broken"));
  const say = (line: string): void => void told.push(line);
  const narrator: Narrator = { step: say, say, live: () => undefined, table: () => undefined };
  const job = {
    ...{ model: "airline", title: "delay compensation", what: "flights", rate: RATE, conductors: 3 },
    inputs: (await readInputs(undefined)).slice(0, FLIGHTS),
    first,
    second: await readEntities(models("v2")),
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
  expect(vetoes.map(({ reason, fieldPath }) => [reason, fieldPath])).toEqual([
    ["UNKNOWN_FIELD", "select.euros"],
  ]);
  // Each lane switched in mid-stream.
  expect(lanes.filter(({ before, after }) => before > 0 && after > 0)).toHaveLength(lanes.length);
  for (const name of ["etcd", "nats", "cassandra"]) expect(told.join("\n")).toContain(`${name}: serves at`);
});
