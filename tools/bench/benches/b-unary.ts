// [B-unary] What the ingress costs a loader that publishes one message a call, beside the driver's own inserts.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show, spread } from "../measure.ts";
import { CONCURRENCY, openPublishRig } from "../publish-rig.ts";

const ROUNDS = 12;
const WARMUPS = 4;
const LIMIT = 0.35;

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using rig = await openPublishRig(signal);
  const { a, b, ratio } = await interleaved(ROUNDS, {
    a: () => rig.unary(),
    b: () => rig.raw(),
    warmups: WARMUPS,
  });
  const echoes: number[] = [];
  for (let round = 0; round < WARMUPS; round += 1) echoes.push(await rig.echo());
  const most = spread(echoes.slice(1));
  say(`ingress ${show(a, "/s")}, driver ${show(b, "/s")}, bare grpc-js ${show(most, "/s")}`);
  return {
    figure: `${show(ratio)}: ${show(a, "/s")} against ${show(b, "/s")}; bare grpc-js that stores nothing: ${show(most, "/s")}`,
    pass: ratio.median >= LIMIT,
    details: { unary: a, raw: b, ratio, echo: most },
  };
}

export const bench: Bench = {
  id: "B-unary",
  title: `unary publishes through an ingress, ${CONCURRENCY} under way`,
  limit: `≥ ${LIMIT} × the driver's own insert loop, same loader, payload and concurrency`,
  run,
};
