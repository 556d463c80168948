// [A-epoch] What it costs that every message runs under the epoch of its own position, with a switch that only benchmarks
// have and that leaves the check out; and throughput while the query is switched once a second.
//
// The check is some nanoseconds, a whole message some microseconds with the noise of a machine. So the limit is held by
// what the check costs where it stands, as a part of the CPU of a whole message; whole messages with and without it are
// measured and shown beside that.
import { data, duty, INPUT, marker, Q } from "../../../libs/runtime-kit/src/testing/model.ts";
import { CallWindow } from "../../../libs/runtime-kit/src/call-window.ts";
import { RUNTIME_LIMITS } from "@greco/runtime-kit";
import { epoch } from "@greco/domain/model";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show } from "../measure.ts";
import { RuntimeRig } from "../runtime-rig.ts";

const LANES = 4;
/** Enough that starting a runtime, some tens of milliseconds, is little beside them. */
const CHECKED = 40_000;
const WHOLE_ROUNDS = 12;
const WINDOWED = 400_000;
const WINDOW_ROUNDS = 40;
const SHARE_MAX = 0.02;
/** Some seconds at full speed, so that there are some switches in them. */
const FLOWING = 100_000;
const SWITCH_ROUNDS = 12;
const SWITCH_MIN = 0.95;
const SWITCH_EVERY_MS = 1_000;

/** Nanoseconds for a message to go through the window in which the check stands: in, called, answered, out. */
function throughWindow(epochCheck: boolean): number {
  const window = new CallWindow({ query: Q, lane: INPUT, limits: RUNTIME_LIMITS, epochCheck });
  window.learn(epoch(1), duty("p"));
  window.take(marker(1, 1));
  window.shift();
  const message = data(2, 1);
  const outcome = { type: "outputs", outputs: [] } as const;
  const batch = RUNTIME_LIMITS.callEntries;
  const outcomes = Array.from({ length: batch }, () => outcome);
  const before = process.hrtime.bigint();
  for (let done = 0; done < WINDOWED; done += batch) {
    for (let each = 0; each < batch; each++) window.take(message);
    const call = window.nextCall();
    if (call !== undefined) window.settle(call, outcomes);
    for (let each = 0; each < batch; each++) window.shift();
  }
  return Number(process.hrtime.bigint() - before) / WINDOWED;
}

/** CPU of this process for a message, in microseconds: everything from reading its lane to its durable output. */
async function cpuOfMessage(rig: RuntimeRig, benchmarkWithoutEpochCheck: boolean): Promise<number> {
  const lanes = await rig.openLanes(LANES);
  await Promise.all(lanes.map((lane) => rig.publish(lane, CHECKED / LANES)));
  const before = process.cpuUsage();
  const runtime = await rig.startRuntime({ benchmarkWithoutEpochCheck });
  await rig.outputs(runtime, CHECKED);
  const { user, system } = process.cpuUsage(before);
  await rig.finish(runtime, lanes);
  return (user + system) / CHECKED;
}

/** Messages a second from publish to durable output, at full speed. */
async function throughput(rig: RuntimeRig, switching: boolean): Promise<number> {
  const lanes = await rig.openLanes(LANES);
  const runtime = await rig.startRuntime();
  await Promise.all(lanes.map((lane) => rig.publish(lane, 500)));
  await rig.outputs(runtime, 500 * LANES);
  const began = performance.now();
  const over = new AbortController();
  const switches = switching ? rig.switchEvery(SWITCH_EVERY_MS, over.signal) : Promise.resolve();
  await Promise.all(lanes.map((lane) => rig.publish(lane, FLOWING / LANES)));
  await rig.outputs(runtime, FLOWING + 500 * LANES);
  const seconds = (performance.now() - began) / 1_000;
  over.abort();
  await switches;
  await rig.finish(runtime, lanes);
  return FLOWING / seconds;
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  const window = await interleaved(WINDOW_ROUNDS, {
    a: () => throughWindow(true),
    b: () => throughWindow(false),
    warmups: 10,
  });
  await using rig = await RuntimeRig.open(signal);
  const whole = await interleaved(WHOLE_ROUNDS, {
    a: () => cpuOfMessage(rig, false),
    b: () => cpuOfMessage(rig, true),
    warmups: 2,
  });
  const checkNs = Math.max(0, window.a.median - window.b.median);
  const share = checkNs / (whole.a.median * 1_000);
  say(`epoch check: ${checkNs.toFixed(1)} ns of ${show(whole.a, " µs")}`);
  const switched = await interleaved(SWITCH_ROUNDS, {
    a: () => throughput(rig, true),
    b: () => throughput(rig, false),
  });
  const cpu =
    `check: ${checkNs.toFixed(1)} ns (${show(window.a, " ns")} − ${show(window.b, " ns")}) of ` +
    `${show(whole.a, " µs")} a message: ${(share * 100).toFixed(2)} %; whole messages with ÷ without ${show(whole.ratio)}`;
  const flow = `switched once a second: ${show(switched.a, "/s")}, never ${show(switched.b, "/s")}, ratio ${show(switched.ratio)}`;
  return {
    figure: `${cpu}; ${flow}`,
    pass: share <= SHARE_MAX && switched.ratio.median >= SWITCH_MIN,
    details: { window, whole, share, switched },
  };
}

export const bench: Bench = {
  id: "A-epoch",
  title: "the epoch of each message, and switching",
  limit: `the check ≤ ${SHARE_MAX * 100} % of the CPU of a message; throughput switching once a second ≥ ${SWITCH_MIN}`,
  run,
};
