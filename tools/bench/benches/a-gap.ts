// [A-gap] How much a switch holds up the outputs of a lane: at half of saturation, the largest gap between two outputs
// around a marker, beside the median largest gap of equal windows of the same lane without one.
import { systemClock as clock } from "@greco/service-kit";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { show, spread } from "../measure.ts";
import { RuntimeRig } from "../runtime-rig.ts";

const LANES = 4;
const SATURATE = 60_000;
const SECONDS = 30;
const SWITCH_EVERY_MS = 5_000;
const WINDOW_MS = 1_000;
/** The publisher's beat. */
const BEAT_MS = 5;
/** A publisher that gets ahead of the store would measure its own queue. */
const UNDER_WAY_MAX = 8_000;
const LIMIT = 2;

type Lane = { readonly times: readonly number[]; readonly markers: readonly number[] };

async function saturation(rig: RuntimeRig): Promise<number> {
  const lanes = await rig.openLanes(LANES);
  const runtime = await rig.startRuntime();
  let outputs = 0;
  const rates: number[] = [];
  for (let round = 0; round < 6; round++) {
    const began = performance.now();
    await Promise.all(lanes.map((lane) => rig.publish(lane, SATURATE / LANES)));
    outputs += SATURATE;
    await rig.outputs(runtime, outputs);
    rates.push(SATURATE / ((performance.now() - began) / 1_000));
  }
  await rig.finish(runtime, lanes);
  // The first round warmed everything up.
  return spread(rates.slice(1)).median;
}

/** Publishes at this rate over all lanes while the query is switched, and reads back when each lane had its outputs. */
async function flow(rig: RuntimeRig, rate: number, signal: AbortSignal): Promise<readonly Lane[]> {
  const lanes = await rig.openLanes(LANES);
  const runtime = await rig.startRuntime();
  const over = new AbortController();
  const switches = rig.switchEvery(SWITCH_EVERY_MS, over.signal);
  const began = performance.now();
  let published = 0;
  let underWay = 0;
  for (let now = 0; now < SECONDS * 1_000; now = performance.now() - began) {
    const due = Math.min(Math.floor((now / 1_000) * rate) - published, UNDER_WAY_MAX - underWay);
    published += due;
    underWay += due;
    for (const [at, lane] of lanes.entries()) {
      const count = Math.floor(due / LANES) + (at < due % LANES ? 1 : 0);
      void rig.publish(lane, count).then(() => (underWay -= count));
    }
    await clock.sleep(BEAT_MS, signal);
  }
  over.abort();
  await switches;
  await rig.outputs(runtime, published);
  await rig.finish(runtime, lanes);
  return rig.derivedTimes(lanes);
}

/** The largest gap that begins in the window. */
function largestGap(times: readonly number[], from: number, to: number): number {
  let largest = 0;
  for (let at = 1; at < times.length; at++) {
    const before = times[at - 1] as number;
    if (before >= from && before < to) largest = Math.max(largest, (times[at] as number) - before);
  }
  return largest;
}

function ratiosOf({ times, markers }: Lane): readonly number[] {
  const first = (times[0] as number) + 2 * WINDOW_MS;
  const last = (times.at(-1) as number) - WINDOW_MS;
  const isNear = (from: number): boolean =>
    markers.some((marker) => marker > from - WINDOW_MS && marker < from + 2 * WINDOW_MS);
  const usual: number[] = [];
  for (let from = first; from + WINDOW_MS <= last; from += WINDOW_MS)
    if (!isNear(from)) usual.push(largestGap(times, from, from + WINDOW_MS));
  const median = spread(usual).median;
  return markers
    .filter((marker) => marker > first && marker < last)
    .map((marker) => largestGap(times, marker - WINDOW_MS / 2, marker + WINDOW_MS / 2) / median);
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using rig = await RuntimeRig.open(signal);
  const most = await saturation(rig);
  say(`saturation: ${Math.round(most)} messages a second`);
  const lanes = await flow(rig, most / 2, signal);
  const ratio = spread(lanes.flatMap(ratiosOf));
  return {
    figure: `at ${Math.round(most / 2)}/s, ${ratio.count} markers: gap ÷ usual gap ${show(ratio)}, at most ${ratio.max.toPrecision(3)}`,
    pass: ratio.median <= LIMIT,
    details: { saturation: most, ratio },
  };
}

export const bench: Bench = {
  id: "A-gap",
  title: "the gap in a lane's outputs at a marker",
  limit: `≤ ${LIMIT} × the median largest gap of equal windows without one, at half of saturation`,
  run,
};
