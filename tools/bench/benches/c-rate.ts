// [C-rate] 200 functions in one commit: from make-it-so to committed, beside the least time that AWS's limit of its
// control plane leaves for it: two writes a function (create, publish), 15 a second. Polls go to GetFunction, which has
// a limit of its own. What is counted is what went through the door between the conductor and Lambda.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { Conductor_State } from "@greco/contracts/greco/conductor/v1/conductor";
import { type Dev, startDev } from "@greco/dev";
import { lambdaTarget } from "../../../apps/demo/src/lambda-target.ts";
import { makeItSo } from "../../../apps/dev/src/testing/make-it-so.ts";
import { until } from "../../../apps/demo/src/story.ts";
import type { Bench, BenchContext, Measured } from "../bench.ts";

const FUNCTIONS = 200;
const WRITES_A_SECOND = 15;
const WRITES_A_FUNCTION = 2;
const LIMIT = 1.2;
const CONDUCTORS = 4;
const PARENT = "models/rate";
const LEAST_MS = (FUNCTIONS * WRITES_A_FUNCTION * 1_000) / WRITES_A_SECOND;
const WRITES = new Set([
  "CreateFunction",
  "PublishVersion",
  "UpdateFunctionCode",
  "UpdateFunctionConfiguration",
]);

const stream = { schema: { type: "object", properties: { n: { type: "integer" } } } };

function specs(): Record<string, unknown> {
  const all: Record<string, unknown> = { "stream/in": stream, "stream/out": stream };
  for (let n = 1; n <= FUNCTIONS; n += 1)
    all[`query/q${n}`] = { from: "in", to: "out", runtime: "lambda", select: { n: `event.n + ${n}` } };
  return all;
}

async function begin(dev: Dev, signal: AbortSignal): Promise<void> {
  const { registry, conductors } = dev.clients("admin");
  await registry.createModel({ modelId: "rate", model: { displayName: "rate" } }, { signal });
  await until(async () => {
    const answer = await conductors.listConductors({ model: PARENT }, { signal });
    const active = answer.conductors.filter(({ state }) => state === Conductor_State.ACTIVE);
    return active.length >= CONDUCTORS ? true : undefined;
  }, signal);
}

async function decided(dev: Dev, name: string, signal: AbortSignal): Promise<Proposal> {
  for await (const { proposal } of dev.clients("admin").commit.watchProposal({ name }, { signal })) {
    if (proposal === undefined) continue;
    if (proposal.committed || proposal.phase === Phase.ABORTED || proposal.phase === Phase.SETTLED)
      return proposal;
  }
  throw new Error(`the watch of ${name} ended before it was decided`);
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

const secondsOf = (time: { readonly seconds: bigint; readonly nanos: number } | undefined): number =>
  Number(time?.seconds ?? 0) + (time?.nanos ?? 0) / 1e9;

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "greco-c-rate-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const lambda = await lambdaTarget(stack, process.env, say, signal);
  const dev = stack.use(await startDev({ dataDir, logLevel: "error", lambda }, signal));
  await begin(dev, signal);
  const began = performance.timeOrigin + performance.now();
  const name = await makeItSo(dev.clients("admin"), PARENT, "all", specs(), signal);
  const proposal = await decided(dev, name, signal);
  const took = performance.timeOrigin + performance.now() - began;
  if (!proposal.committed) return { figure: `not committed: ${proposal.message}`, pass: false };
  const calls = lambda.door?.calls() ?? [];
  const wrote = calls.filter(({ operation }) => WRITES.has(operation)).map(({ atMs }) => atMs - began);
  const writes = wrote.length;
  const [first = 0, last = 0] = [wrote[0], wrote.at(-1)];
  say(
    `${seconds(first)} until the first write (review), ${seconds(last - first)} of writes, ${seconds(took - last)} behind the last one`,
  );
  const voter = proposal.voters.find(({ conductor }) => conductor === "conductors/conductor-lambda");
  const estimate = secondsOf(voter?.plan?.prepareTime);
  const ratio = took / LEAST_MS;
  return {
    figure:
      `${ratio.toFixed(2)}: ${seconds(took)} against ${seconds(LEAST_MS)}; ` +
      `${writes} writes, ${calls.length - writes} reads; its vote had estimated ${estimate.toFixed(1)} s`,
    pass: ratio <= LIMIT && estimate > 0,
    details: { took, least: LEAST_MS, writes, reads: calls.length - writes, estimate },
  };
}

export const bench: Bench = {
  id: "C-rate",
  title: `${FUNCTIONS} functions in one commit ÷ their writes at ${WRITES_A_SECOND} a second`,
  limit: `≤ ${LIMIT} ×`,
  run,
};
