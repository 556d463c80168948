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
const REACHED_MS = 120_000;
/** Not met in earnest: two busy cores are slow to start processes. */
const TEST_MS = 300_000;
const RATE = 800;
/** More than can be sent before the test is over: the stream is cut to what comes behind the kill. */
const STREAM_MAX = (RATE * TEST_MS) / 1_000;
const SOME = 300;
const BEHIND_THE_KILL = 800;

/** Version 2 is asked for, and no proposal of it is there yet: nothing remains of the call. */
const BEFORE_PROPOSAL = "registry.freeze.before-seal";

/** Where `greco dev`, with all its parts, is killed while version 2 is made so and messages flow. */
const FAILPOINTS = [
  BEFORE_PROPOSAL,
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
  "lane.marker.before@2",
  "lane.marker.after@2",
  "runtime.marker.before@2",
  "runtime.marker.after@2",
  "conductor.settle.before",
  "conductor.settle.after",
  "commit.settle.after",
] as const;

/** In mid-stream: this is the last thing that the process does. Version 2 comes with the rest of the stream. */
const STREAMING = [
  "lane.append.before",
  "lane.append.after",
  "ingress.ack.before",
  "runtime.append.before",
  "runtime.append.after",
  "runtime.checkpoint.after",
] as const;

async function run(failpoint: string, commits: boolean): Promise<void> {
  await using process = await DevProcess.prepare(TEST_MS - 10_000);
  let doing = "";
  try {
    await killAndRestart(process, failpoint, commits, (what) => (doing = what));
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
  commits: boolean,
  doing: (what: string) => void,
): Promise<void> {
  const { signal } = process;
  doing("the start with the failpoint");
  await process.start(`${failpoint}:kill`);
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

  // Now publish, make version 2 so in mid-stream, and see the process die.
  const inputs = Array.from({ length: STREAM_MAX }, (_, n) => ({ n, by: "" }));
  const publisher = new Publisher(systemClock, { stream: `${PARENT}/streams/a`, rate: RATE });
  const died = process.ended();
  const published = publisher
    .publish(process.clients("admin").ingress, inputs, signal)
    .catch((error: unknown) => error);
  doing("messages, until some are acknowledged");
  while (publisher.progress.acknowledged < SOME) {
    expect(process.isRunning, "it died before it was told to").toBe(true);
    await systemClock.sleep(10, signal);
  }
  const story = process.story("admin");
  const two = await story.draft("two", [scaling("q", "a", "b", 2)], false, signal);
  // From here on, so that neither the start nor version 1 is what is killed.
  doing("its death");
  await process.arm();
  const made = commits
    ? story.makeItSo(two.name, two.etag, "two", signal).catch((error: unknown) => error)
    : undefined;
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
  expect(process.errors).toContain(`failpoint ${failpoint}: kill`);
  doing("the calls that were under way");
  await Promise.all([published, made]);
  const { acknowledged: before, sent } = publisher.progress;
  expect(sent, "it died before all was sent").toBeLessThan(inputs.length);
  inputs.length = sent + BEHIND_THE_KILL;

  doing("the start after the kill");
  await process.start();
  const clients = process.clients("admin");
  const list = { parent: PARENT, pageSize: 100 };
  doing("the proposals that are there");
  // Nobody has asked for anything since: what is there was there when it died.
  const found = (await clients.commit.listProposals(list, { signal })).proposals.length;
  const isAsked = commits && failpoint !== BEFORE_PROPOSAL;
  expect(found, "proposals, version 1's among them").toBe(isAsked ? 2 : 1);
  doing("publishing the rest");
  const asked = isAsked ? undefined : process.story("admin").makeItSo(two.name, two.etag, "two", signal);
  await Promise.all([publisher.publish(clients.ingress, inputs, signal), asked]);
  doing("until every proposal is settled");
  // Whatever was decided stands; what was not is decided now, without help.
  const { proposals } = await until(async () => {
    const page = await clients.commit.listProposals(list, { signal });
    return page.proposals.every((proposal) => proposal.phase === Phase.SETTLED) ? page : undefined;
  }, signal);
  const { headVersion } = await clients.registry.getModel({ name: PARENT }, { signal });
  expect(proposals.map(({ committed }) => committed)).toEqual([true, true]);
  expect(headVersion).toBe(2n);
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
      published: { inputs, producer: PRODUCER },
      evaluate: async (epoch, payload) => (await evaluations[epoch - 1]?.(payload)) ?? [],
      switchEpoch: 2,
    },
    signal,
  );
  expect(
    { ...report, records: [], inputAt: 0, lanes: [] },
    `acknowledged before the kill: ${before}`,
  ).toMatchObject({
    inputs: inputs.length,
    outputs: inputs.length,
    lost: 0,
    duplicated: 0,
    misapplied: 0,
    mistakes: [],
  });
}

describe("kill -9, restart: decided, nothing acknowledged lost, checker green", () => {
  it.concurrent.each(FAILPOINTS)(
    "I2, I8, I11: killed at %s while a commit runs",
    (failpoint) => run(failpoint, true),
    TEST_MS,
  );
  it.concurrent.each(STREAMING)(
    "I8: killed at %s in mid-stream",
    (failpoint) => run(failpoint, false),
    TEST_MS,
  );
});
