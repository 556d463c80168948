// [B-append] What R1 costs: a lane's append (seq, window, lease asked after the store's answer) beside the insert of the
// same row by the same driver, one at a time.
import type { EntityIdentity } from "@greco/domain/model";
import { openLaneWriter } from "@greco/lane-kit";
import { systemClock as clock, systemIds as ids } from "@greco/service-kit";
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { log, MODEL, openDataPlane } from "../data-plane.ts";
import { interleaved, show, spread } from "../measure.ts";
import { payloads, RawRows } from "../publish-rig.ts";

const ROUNDS = 60;
const WARMUPS = 30;
const CALLS = 100;
const LEASE_MS = 10_000;
const LIMIT = 1.15;
const FLIGHTS = "stream/flights@1" as EntityIdentity;

/** The median of so many calls, one behind the other, in ms. */
async function latency(call: (index: number) => Promise<unknown>): Promise<number> {
  const all: number[] = [];
  for (let index = 0; index < CALLS; index += 1) {
    const began = performance.now();
    await call(index);
    all.push(performance.now() - began);
  }
  return spread(all).median;
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using plane = await openDataPlane(signal);
  const { laneStore, bindingStore, wake, raw } = plane;
  await plane.commit([[FLIGHTS, { name: "flights", schema: {}, lanes: 1 }]], [FLIGHTS]);
  const options = {
    laneStore,
    bindingStore,
    wake,
    clock,
    ids,
    log,
    model: MODEL,
    name: "bench",
    leaseMs: LEASE_MS,
  };
  await using writer = await openLaneWriter(options, signal);
  const lane = await writer.openLane({ stream: FLIGHTS }, signal);
  const rows = new RawRows(raw);
  const { a, b, ratio } = await interleaved(ROUNDS, {
    a: () =>
      latency((index) =>
        lane.append([{ key: "", payload: payloads[index % payloads.length] as Buffer }], signal),
      ),
    b: () => latency(() => rows.insert()),
    warmups: WARMUPS,
  });
  say(`append ${show(a, " ms")}, insert ${show(b, " ms")}`);
  return {
    figure: `${show(ratio)}: ${show(a, " ms")} against ${show(b, " ms")}, medians of ${CALLS}`,
    pass: ratio.median <= LIMIT,
    details: { append: a, insert: b, ratio },
  };
}

export const bench: Bench = {
  id: "B-append",
  title: "an append by R1, one at a time",
  limit: `≤ ${LIMIT} × the latency of the driver's insert of the same row`,
  run,
};
