// [B-batch] What group commit brings: batches on one stream through the ingress, beside the driver's own inserts.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show } from "../measure.ts";
import { CONCURRENCY, openPublishRig } from "../publish-rig.ts";

const ROUNDS = 12;
const WARMUPS = 4;
const LIMIT = 2;
const BATCH = 100;
const UNDER_WAY = 16;

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using rig = await openPublishRig(signal);
  const { a, b, ratio } = await interleaved(ROUNDS, {
    a: () => rig.batches(BATCH, UNDER_WAY),
    b: () => rig.raw(),
    warmups: WARMUPS,
  });
  say(`batches ${show(a, "/s")}, driver ${show(b, "/s")}`);
  return {
    figure: `${show(ratio)}: ${show(a, "/s")} against ${show(b, "/s")}`,
    pass: ratio.median >= LIMIT,
    details: { batches: a, raw: b, ratio, batch: BATCH, underWay: UNDER_WAY },
  };
}

export const bench: Bench = {
  id: "B-batch",
  title: `batches of ${BATCH} on one stream, ${UNDER_WAY} under way`,
  limit: `≥ ${LIMIT} × the driver's own insert loop (${CONCURRENCY} under way), same loader and payload`,
  run,
};
