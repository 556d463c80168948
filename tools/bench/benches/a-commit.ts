// [A-commit] What Greco adds to a commit, beyond the transactions and calls that it cannot do without.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { openGreco } from "../commit-rig.ts";
import { openSkeleton } from "../commit-skeleton.ts";
import { interleaved, show } from "../measure.ts";

const PAIRS = 200;
const WARMUPS = 30;
const LIMIT = 2;

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using greco = await openGreco(signal);
  for (let each = 0; each < WARMUPS; each += 1) await greco.commit();
  const durable = await greco.durable();
  const transactions = durable.filter((each) => each.type === "transaction").length;
  say(
    `durable until committed: ${transactions} transactions, ${durable.length - transactions} announcements`,
  );
  await using skeleton = await openSkeleton(durable, signal);
  const { a, b, ratio } = await interleaved(PAIRS, {
    a: () => greco.commit(),
    b: () => skeleton.commit(),
    warmups: WARMUPS,
  });
  say(`greco ${show(a, " ms")}, skeleton ${show(b, " ms")}`);
  return {
    figure: `${show(ratio)}: ${show(a, " ms")} against ${show(b, " ms")}, ${transactions} transactions each`,
    pass: ratio.median <= LIMIT,
    details: { greco: a, skeleton: b, ratio, transactions },
  };
}

export const bench: Bench = {
  id: "A-commit",
  title: "a 1-entity commit with three conductors, call → committed",
  limit: "≤ 2 × a skeleton of the same durable transactions and bare grpc-js calls",
  run,
};
