// [A-epoch] What it costs that every message runs under the epoch of its own position: CPU of a message with the check
// and without it (a switch that only benchmarks have), and throughput while the query is switched once a second.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show } from "../measure.ts";
import { RuntimeRig } from "../runtime-rig.ts";

const LANES = 4;
/** Enough that starting a runtime, some tens of milliseconds, is little beside them. */
const CHECKED = 40_000;
const CHECK_ROUNDS = 24;
const CHECK_MAX = 1.02;
/** Some seconds at full speed, so that there are some switches in them. */
const FLOWING = 100_000;
const SWITCH_ROUNDS = 8;
const SWITCH_MIN = 0.95;
const SWITCH_EVERY_MS = 1_000;

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
  await using rig = await RuntimeRig.open(signal);
  const check = await interleaved(CHECK_ROUNDS, {
    a: () => cpuOfMessage(rig, false),
    b: () => cpuOfMessage(rig, true),
    warmups: 2,
  });
  say(`epoch check: CPU of a message with ÷ without ${show(check.ratio)}`);
  const switched = await interleaved(SWITCH_ROUNDS, {
    a: () => throughput(rig, true),
    b: () => throughput(rig, false),
  });
  const cpu = `check: ${show(check.a, " µs")} a message, without ${show(check.b, " µs")}, ratio ${show(check.ratio, "", 4)}`;
  const flow = `switched once a second: ${show(switched.a, "/s")}, never ${show(switched.b, "/s")}, ratio ${show(switched.ratio)}`;
  return {
    figure: `${cpu}; ${flow}`,
    pass: check.ratio.median <= CHECK_MAX && switched.ratio.median >= SWITCH_MIN,
    details: { check, switched },
  };
}

export const bench: Bench = {
  id: "A-epoch",
  title: "the epoch of each message, and switching",
  limit: `CPU of a message ≤ ${CHECK_MAX} × without the check; throughput switching once a second ≥ ${SWITCH_MIN}`,
  run,
};
