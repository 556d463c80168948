import { openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { Phase, PhaseSchema, VoterStatus_VoteSchema } from "@greco/contracts/greco/commit/v1/commit";
import { entityIdentity, entityKey, modelId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { check } from "../checker.ts";
import { drained } from "../drained.ts";
import { evaluationOf } from "../evaluate.ts";
import { Publisher, PRODUCER } from "../publisher.ts";
import { until } from "../story.ts";
import { DevProcess } from "./dev-process.ts";
import { MODEL, PARENT, scaling, stream } from "./world.ts";

const FIELDS = { n: { type: "number" }, by: { type: "string" } };
const streams = [stream("a", FIELDS), stream("b", FIELDS)];
/** Far beyond what a commit and the messages take; a failpoint that is not reached by then never is. */
const REACHED_MS = 60_000;
const RATE = 800;
const INPUTS = Array.from({ length: 2_400 }, (_, n) => ({ n, by: "" }));

/** Where `greco dev`, with all its parts, is killed while version 2 is made so and messages flow. */
const FAILPOINTS = [
  "registry.freeze.before-seal",
  "commit.freeze.after",
  "commit.propose.after",
  "conductor.vote.before",
  "conductor.vote.after",
  "commit.accepted",
  "conductor.prepare.intent",
  "conductor.prepare.after",
  "conductor.ready.after",
  "commit.promote.before",
  "registry.promote.after",
  "commit.promote.after",
  "commit.ledger.before",
  "commit.ledger.after",
  "lane.marker.before:kill:2",
  "lane.marker.after:kill:2",
  "runtime.marker.before",
  "runtime.marker.after",
  "conductor.settle.before",
  "conductor.settle.after",
  "commit.settle.after",
] as const;

/** In mid-stream: the nth append is the last thing that the process does. */
const STREAMING = [
  "lane.append.before:kill:12",
  "lane.append.after:kill:12",
  "ingress.ack.before:kill:8",
  "runtime.append.before:kill:8",
  "runtime.append.after:kill:8",
  "runtime.checkpoint.after:kill:2",
] as const;

async function run(failpoint: string): Promise<void> {
  await using process = await DevProcess.prepare();
  let doing = "";
  try {
    await killAndRestart(process, failpoint, (what) => (doing = what));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${doing}: ${message}\n${await standing(process)}\n${process.errors}`, { cause: error });
  }
}

const LOOK_MS = 5_000;

/** Where each proposal stands, and who has not settled it: for failures. */
async function standing(process: DevProcess): Promise<string> {
  if (!process.isRunning) return "greco dev does not run";
  try {
    const signal = AbortSignal.timeout(LOOK_MS);
    const { proposals } = await process
      .clients("admin")
      .commit.listProposals({ parent: PARENT, pageSize: 100 }, { signal });
    return proposals
      .map(({ name, phase, voters, message }) => {
        const said = voters.map(({ conductor, vote, ready, settled }) =>
          [
            conductor,
            VoterStatus_VoteSchema.value[vote]?.localName,
            ready ? "ready" : "",
            settled ? "settled" : "",
          ].join(" "),
        );
        return [name, PhaseSchema.value[phase]?.localName, message, ...said].join("; ");
      })
      .join("\n");
  } catch (error) {
    return `greco dev does not answer: ${String(error)}`;
  }
}

async function killAndRestart(
  process: DevProcess,
  failpoint: string,
  doing: (what: string) => void,
): Promise<void> {
  const { signal } = process;
  doing("the first start");
  await process.start();
  doing("version 1");
  const begin = process.story("admin");
  await begin.begin("killed", 3, signal);
  const one = await begin.draft("one", [...streams, scaling("q", "a", "b", 1)], false, signal);
  const first = await begin.makeItSo(one.name, one.etag, "one", signal);
  expect(first.version).toBe(1n);
  await until(
    async () =>
      (await process.clients("admin").commit.getProposal({ name: first.name }, { signal })).phase ===
      Phase.SETTLED
        ? true
        : undefined,
    signal,
  );
  await process.kill();

  // Now with the failpoint: publish, make version 2 so, and see the process die.
  doing("the start with the failpoint");
  await process.start(failpoint).catch((error: unknown) => {
    // Some are reached while it starts; then the restart is all that there is to see.
    if (!process.wasKilled) throw error;
  });
  doing("version 2, until it dies");
  const publisher = new Publisher(systemClock, { stream: `${PARENT}/streams/a`, rate: RATE });
  const died = process.ended();
  const published = publisher
    .publish(process.clients("admin").ingress, INPUTS, signal)
    .catch((error: unknown) => error);
  // Version 2 comes in mid-stream: the lanes are open by then, and their markers must be carried through.
  while (process.isRunning && publisher.progress.acknowledged < INPUTS.length / 8)
    await systemClock.sleep(10, signal);
  const story = process.story("admin");
  const two = await story.draft("two", [scaling("q", "a", "b", 2)], false, signal).catch(() => undefined);
  const made =
    two === undefined
      ? undefined
      : story.makeItSo(two.name, two.etag, "two", signal).catch((error: unknown) => error);
  const missed = systemClock
    .sleep(REACHED_MS, signal)
    .then(() => Promise.race([made, Promise.resolve("still under way")]));
  const reached = await Promise.race([died.then(() => undefined), missed]);
  if (process.isRunning) {
    const { phase, message } = (reached ?? {}) as { phase?: number; message?: string };
    throw new Error(
      `${failpoint} was not reached: version 2 is ${phase ?? String(reached)} ${message ?? ""}, ${publisher.progress.acknowledged} acknowledged`,
    );
  }
  expect(process.wasKilled, "it died of something else").toBe(true);
  doing("the calls that were under way");
  await Promise.all([published, made]);
  const before = publisher.progress.acknowledged;

  doing("the start after the kill");
  await process.start();
  doing("publishing the rest");
  const clients = process.clients("admin");
  while (publisher.progress.acknowledged < INPUTS.length)
    await publisher.publish(clients.ingress, INPUTS, signal);
  doing("until every proposal is settled");
  // Whatever was decided stands; what was not is decided now, without help.
  const { proposals } = await until(async () => {
    const page = await clients.commit.listProposals({ parent: PARENT, pageSize: 100 }, { signal });
    return page.proposals.every((proposal) => proposal.phase === Phase.SETTLED) ? page : undefined;
  }, signal);
  const { headVersion } = await clients.registry.getModel({ name: PARENT }, { signal });
  expect(proposals.filter((proposal) => proposal.committed).length).toBe(Number(headVersion));
  doing("until all is read");
  await drained(clients, { parent: PARENT, stream: "a", query: "q" }, systemClock, signal);

  doing("the check");
  const evaluations = await Promise.all(
    [1, 2].map((factor) => evaluationOf([...streams, scaling("q", "a", "b", factor)])),
  );
  await using lanes = await openEmbeddedLaneStore({
    path: join(process.dir, "lanes.sqlite"),
    clock: systemClock,
  });
  const id = (kind: string, name: string) => entityIdentity(entityKey(kind, name), 1);
  const report = await check(
    lanes,
    {
      model: modelId(MODEL),
      source: id("stream", "a"),
      target: id("stream", "b"),
      query: id("query", "q"),
      published: { inputs: INPUTS, producer: PRODUCER },
      evaluate: async (epoch, payload) => (await evaluations[epoch - 1]?.(payload)) ?? [],
      switchEpoch: 2,
    },
    signal,
  );
  expect(
    { ...report, records: [], inputAt: 0, lanes: [] },
    `acknowledged before the kill: ${before}`,
  ).toMatchObject({
    inputs: INPUTS.length,
    outputs: INPUTS.length,
    lost: 0,
    duplicated: 0,
    misapplied: 0,
    mistakes: [],
  });
}

describe("kill -9, restart: decided, nothing acknowledged lost, checker green", () => {
  it.concurrent.each(FAILPOINTS)("I2, I8, I11: killed at %s while a commit runs", (failpoint) =>
    run(failpoint.includes(":") ? failpoint : `${failpoint}:kill`),
  );
  it.concurrent.each(STREAMING)("I8: killed at %s in mid-stream", (failpoint) => run(failpoint));
});
