// [A-size] What an edit of a draft and a commit cost does not grow with the model: 100,000 entities against 1,000.
import type { Bench, BenchContext, Measured } from "../bench.ts";
import { interleaved, show, type Interleaved } from "../measure.ts";
import {
  change,
  commitDraft,
  entityOf,
  loadModel,
  openBenchRegistry,
  type BenchRegistry,
} from "../registry.ts";

const SMALL = 1_000;
const LARGE = 100_000;
const PAIRS = 200;
const LIMIT = 1.3;

type Side = {
  readonly registry: BenchRegistry;
  readonly model: string;
  readonly count: number;
  round: number;
};

async function edit(side: Side, signal: AbortSignal) {
  const { registry, model, count } = side;
  side.round += 1;
  const draftId = `d${side.round}`;
  const draft = await registry.person.createDraft({ parent: `models/${model}`, draftId }, { signal });
  const entity = entityOf((side.round * 7_919 + 2) % count, side.round);
  const start = performance.now();
  const changes = [change(model, entity)];
  const edited = await registry.person.editDraft({ name: draft.name, etag: draft.etag, changes }, { signal });
  return { ms: performance.now() - start, draft: { name: draft.name, etag: edited.draft?.etag ?? "" } };
}

async function commit(side: Side, signal: AbortSignal): Promise<number> {
  const { draft } = await edit(side, signal);
  const start = performance.now();
  await commitDraft(side.registry.control, side.model, draft, signal);
  return performance.now() - start;
}

async function run({ signal, say }: BenchContext): Promise<Measured> {
  await using registry = await openBenchRegistry(signal);
  const sides: Side[] = [];
  for (const count of [SMALL, LARGE]) {
    const model = `m${count}`;
    await loadModel(registry, model, count, signal);
    say(`${count} entities loaded`);
    sides.push({ registry, model, count, round: 0 });
  }
  const [small, large] = sides as [Side, Side];
  const compare = (measure: (side: Side) => Promise<number>): Promise<Interleaved> =>
    interleaved(PAIRS, { a: () => measure(large), b: () => measure(small), warmups: 20 });
  const edits = await compare(async (side) => (await edit(side, signal)).ms);
  say(`edit: ${show(edits.a, " ms")} against ${show(edits.b, " ms")}`);
  const commits = await compare((side) => commit(side, signal));
  say(`commit: ${show(commits.a, " ms")} against ${show(commits.b, " ms")}`);
  return {
    figure: `edit ${show(edits.ratio)}; commit ${show(commits.ratio)}`,
    pass: edits.ratio.median <= LIMIT && commits.ratio.median <= LIMIT,
    details: { edits, commits },
  };
}

export const bench: Bench = {
  id: "A-size",
  title: "draft edit, and freeze with promote, at 100,000 entities ÷ at 1,000",
  limit: `median of ${PAIRS} pairs ≤ ${LIMIT}`,
  run,
};
