// [B-switch] How soon an epoch that is committed is what eight lanes are processed under: from committed until the last
// lane's first output under it is on its way, beside the sum of the hops between, each by the same clients: ledger
// insert, hint by NATS, append of a marker, hint, read. Committer, writer and runtime hear each other by NATS only.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { show, spread } from "../measure.ts";
import { LANES, openSwitchRig, type Hops } from "../switch-rig.ts";

const SWITCHES = 300;
const WARMUPS = 30;
const P50_MAX = 3;
const P99_MAX = 10;

const sum = (hops: Hops): number => Object.values(hops).reduce((all, each) => all + each, 0);
const quantile = (values: readonly number[], at: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * at))] as number;

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using rig = await openSwitchRig(signal);
  const took: number[] = [];
  const all: Hops[] = [];
  for (let round = -WARMUPS; round < SWITCHES; round += 1) {
    const ms = await rig.switched();
    const hops = await rig.hops();
    if (round < 0) continue;
    took.push(ms);
    all.push(hops);
  }
  for (const hop of ["ledger", "publish", "append", "wake", "read"] as const)
    say(`${hop}: ${show(spread(all.map((each) => each[hop])), " ms")}`);
  const sums = all.map(sum);
  // Pair by pair: what slows the machine for a while slows both.
  const ratios = took.map((ms, index) => ms / (sums[index] as number));
  const [p50, p99] = [quantile(ratios, 0.5), quantile(ratios, 0.99)];
  return {
    figure:
      `p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)}: ${show(spread(took), " ms")}, p99 ${quantile(took, 0.99).toFixed(1)} ms, ` +
      `against hops of ${show(spread(sums), " ms")}`,
    pass: p50 <= P50_MAX && p99 <= P99_MAX,
    details: { took: spread(took), p99: quantile(took, 0.99), hops: spread(sums), ratios: { p50, p99 } },
  };
}

export const bench: Bench = {
  id: "B-switch",
  title: `committed → the last of ${LANES} lanes processing under the new epoch`,
  limit: `p50 ≤ ${P50_MAX} ×, p99 ≤ ${P99_MAX} × the sum of its raw hops`,
  run,
};
