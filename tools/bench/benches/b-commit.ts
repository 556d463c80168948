// [B-commit] A whole commit on etcd, NATS and Cassandra, with three trivial conductors that keep their journals: from the
// call to the moved head, beside the sum of all that it made durable until then, made again by the same clients, one
// behind the other.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { openCommitOnEngines } from "../commit-engines.ts";
import type { Durable } from "../commit-rig.ts";
import { interleaved, show, spread } from "../measure.ts";

const PAIRS = 60;
const WARMUPS = 20;
const LIMIT = 1.5;

const nameOf = (each: Durable): string => {
  switch (each.type) {
    case "transaction":
      return `etcd transaction (${each.transaction.compare.length} compared, ${each.transaction.then.length} written)`;
    case "publish":
      return `publish (${each.bytes} bytes)`;
    case "journal":
      return `journal (${each.records.length} records)`;
    case "bindings":
      return `bindings (${each.bindings.length})`;
  }
};

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using greco = await openCommitOnEngines(signal);
  for (let each = 0; each < WARMUPS; each += 1) await greco.commit();
  const durable = await greco.durable();
  const took = durable.map((): number[] => []);
  const { a, b, ratio } = await interleaved(PAIRS, {
    a: () => greco.commit(),
    b: async () => {
      const all = await greco.again(durable);
      for (const [index, ms] of all.entries()) took[index]?.push(ms);
      return all.reduce((sum, ms) => sum + ms, 0);
    },
    warmups: WARMUPS,
  });
  const steps = durable.map((each, index) => ({ step: nameOf(each), ms: spread(took[index] ?? []) }));
  for (const { step, ms } of steps) say(`${step}: ${show(ms, " ms")}`);
  const one = steps.find(({ step }) => step.startsWith("etcd"))?.ms.median ?? Number.NaN;
  const perTransaction = a.median / one;
  return {
    figure:
      `${show(ratio)}: ${show(a, " ms")} against ${show(b, " ms")} in ${steps.length} steps; ` +
      `${perTransaction.toFixed(1)} × one raw etcd transaction (${one.toFixed(2)} ms)`,
    pass: ratio.median <= LIMIT,
    details: { commit: a, steps: b, ratio, perTransaction, each: steps },
  };
}

export const bench: Bench = {
  id: "B-commit",
  title: "make-it-so with three trivial conductors, call → committed, on real engines",
  limit: `≤ ${LIMIT} × the sum of its raw durable steps by the same clients`,
  run,
};
