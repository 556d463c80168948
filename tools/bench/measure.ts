// Numbers that mean something on a busy machine: two things are measured turn by turn, and only their ratio counts.

export type Spread = {
  readonly count: number;
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  readonly min: number;
  readonly max: number;
};

function quantile(sorted: readonly number[], at: number): number {
  const position = (sorted.length - 1) * at;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("nothing was measured");
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => quantile(sorted, share);
  return { count: sorted.length, median: at(0.5), p10: at(0.1), p90: at(0.9), min: at(0), max: at(1) };
}

/** `1.23 (p10 1.1, p90 1.4, n 200)` */
export function show({ median, p10, p90, count }: Spread, unit = "", digits = 3): string {
  const text = (value: number): string => `${Number(value.toPrecision(digits))}${unit}`;
  return `${text(median)} (p10 ${text(p10)}, p90 ${text(p90)}, n ${count})`;
}

/** A measured round: its figure, or nothing, and then the figure is the time it took in milliseconds. */
export type Round = (index: number) => Promise<number | undefined> | Promise<void> | number | undefined;

export type Interleaved = { readonly a: Spread; readonly b: Spread; readonly ratio: Spread };

async function figureOf(round: Round, index: number): Promise<number> {
  const start = performance.now();
  const figure = await round(index);
  return figure ?? performance.now() - start;
}

/**
 * Runs `a` and `b` in turn, `rounds` times after `warmups` that do not count, and compares pair by pair: `ratio` is of
 * a ÷ b within a pair, so what slows the machine for a while slows both. Each pair turns the order round, so that
 * neither always profits from what the other left in the caches.
 */
export async function interleaved(
  rounds: number,
  { a, b, warmups = 1 }: { readonly a: Round; readonly b: Round; readonly warmups?: number },
): Promise<Interleaved> {
  const pairs: { a: number; b: number }[] = [];
  for (let index = -warmups; index < rounds; index++) {
    const aFirst = index % 2 === 0;
    const first = await figureOf(aFirst ? a : b, index);
    const second = await figureOf(aFirst ? b : a, index);
    if (index >= 0) pairs.push(aFirst ? { a: first, b: second } : { a: second, b: first });
  }
  return {
    a: spread(pairs.map((pair) => pair.a)),
    b: spread(pairs.map((pair) => pair.b)),
    ratio: spread(pairs.map((pair) => pair.a / pair.b)),
  };
}
