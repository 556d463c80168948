// [C-overhead] What a runtime adds to calls of functions: read from their lanes, called, written to derived lanes, each
// once, beside a loop of AWS's own client which sends the same requests and reads the answers. Lambda is a server that
// answers at once, so nothing hides what either costs.
//
// The limit is for calls of one message, as such a loop makes them. With more of them in a call, calls cost ever less
// for a message and lanes the same, so what is left to compare is SQLite with nothing; that is shown beside.
import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { createLambdaClient, createLambdaFunctionHost, type LambdaAccess } from "@greco/adapter-lambda";
import type { Log } from "@greco/ports";
import { startProcess } from "../app-process.ts";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show, type Interleaved } from "../measure.ts";
import { RIG_PAYLOADS, RuntimeRig } from "../runtime-rig.ts";

const LANES = 4;
/** Calls under way at once. */
const CONCURRENCY = 10;
/** Messages of a call; the first has the limit. */
const LOADS = [
  { batch: 1, calls: 4_000, rounds: 11 },
  { batch: 10, calls: 2_000, rounds: 7 },
  { batch: 100, calls: 400, rounds: 7 },
] as const;
const RATIO_MIN = 0.7;
/** The part of a round's messages before its time is taken: a runtime starts, claims its lanes and loads the program. */
const WARM = 0.1;
const ARN = "arn:aws:lambda:eu-central-1:000000000000:function:bench";

const ignore = (): void => undefined;
const log: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => log };

type Load = (typeof LOADS)[number];

/** A request as the host makes it. */
function requestOf(batch: number): Buffer {
  const messages = Array.from({ length: batch }, (_, at) => ({
    payload: Buffer.from(RIG_PAYLOADS[at % RIG_PAYLOADS.length] ?? []).toString(),
    key: "",
    id: `source-1-flights-12/${1_000 + at}`,
    lane: "source-1-flights-12",
    seq: 1_000 + at,
  }));
  return Buffer.from(JSON.stringify({ greco: 1, epoch: 1, query: "compensation", messages }));
}

/** Messages a second. */
async function bare(client: LambdaClient, { batch, calls }: Load, signal: AbortSignal): Promise<number> {
  const Payload = requestOf(batch);
  let left = calls;
  const loop = async (): Promise<void> => {
    while (left-- > 0) {
      const command = new InvokeCommand({ FunctionName: ARN, Qualifier: "1", Payload });
      const { Payload: answer } = await client.send(command, { abortSignal: signal });
      const { outcomes } = JSON.parse(answer?.transformToString() ?? "") as { outcomes: unknown[] };
      if (outcomes.length !== batch) throw new Error(`${outcomes.length} outcomes to ${batch} messages`);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: CONCURRENCY }, loop));
  return (calls * batch * 1_000) / (performance.now() - began);
}

/** Messages a second, from the lanes to the lanes. They are published before, and the runtime starts before its time. */
async function through(rig: RuntimeRig, { batch, calls }: Load): Promise<number> {
  const messages = calls * batch;
  const lanes = await rig.openLanes(LANES);
  for (const lane of lanes) await rig.publish(lane, messages / LANES);
  const runtime = await rig.startRuntime();
  await rig.outputs(runtime, messages * WARM);
  const already = runtime.status()[0]?.counts.outputs ?? 0;
  const began = performance.now();
  await rig.outputs(runtime, messages);
  const perSecond = ((messages - already) * 1_000) / (performance.now() - began);
  await rig.finish(runtime, lanes);
  return perSecond;
}

async function measure(access: LambdaAccess, load: Load, signal: AbortSignal): Promise<Interleaved> {
  await using stack = new AsyncDisposableStack();
  const client = stack.adopt(createLambdaClient(access, { maxAttempts: 1 }), (each) => each.destroy());
  const host = stack.use(createLambdaFunctionHost({ access, log }));
  const lambda = {
    qualifiedArn: `${ARN}:1`,
    codeSha256: "",
    configHash: "",
    concurrency: CONCURRENCY,
    batch: load.batch,
  };
  const rig = stack.use(await RuntimeRig.open(signal, undefined, { host, lambda }));
  return await interleaved(load.rounds, {
    a: () => through(rig, load),
    b: () => bare(client, load, signal),
    warmups: 2,
  });
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using server = await startProcess(
    { program: "tools/bench/lambda-server.ts", event: "lambda.serving" },
    signal,
  );
  process.env["AWS_ACCESS_KEY_ID"] ??= "bench";
  process.env["AWS_SECRET_ACCESS_KEY"] ??= "bench";
  const access = { region: "eu-central-1", endpoint: `http://${server.address}` };
  const measured: { batch: number; ratio: number; text: string; details: Interleaved }[] = [];
  for (const load of LOADS) {
    const details = await measure(access, load, signal);
    const { a, b, ratio } = details;
    const text = `${load.batch} a call: ${show(a, "/s")} messages through the runtime, ${show(b, "/s")} bare, ratio ${show(ratio)}`;
    say(text);
    measured.push({ batch: load.batch, ratio: ratio.median, text, details });
  }
  return {
    figure: measured.map(({ text }) => text).join("; "),
    pass: (measured[0]?.ratio ?? 0) >= RATIO_MIN,
    details: Object.fromEntries(measured.map(({ batch, details }) => [batch, details])),
  };
}

export const bench: Bench = {
  id: "C-overhead",
  title: "calls of functions through a runtime",
  limit: `≥ ${RATIO_MIN} of the calls a second of a bare loop of AWS's client, one message a call`,
  run,
};
