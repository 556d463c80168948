/**
 * What an operator looks at: counts, distributions, and states that are asked for when somebody looks. Handed in, so
 * that what is counted by whom is seen where it is wired; `noMetrics` costs a call that does nothing.
 *
 * Names are `greco_…` in base units (`_seconds`, `_bytes`); what only grows ends in `_total`.
 */
export type Labels = Readonly<Record<string, string>>;

export type Sample = { readonly value: number; readonly labels?: Labels };

export interface Counter {
  add(count: number, labels?: Labels): void;
}

export interface Histogram {
  record(value: number, labels?: Labels): void;
}

export interface Metrics {
  counter(name: string, about: string): Counter;
  /** `bounds`: the buckets' upper bounds, ascending. */
  histogram(name: string, about: string, bounds: readonly number[]): Histogram;
  /**
   * Read at each look, so that what is gone is not shown any more; a name that ends in `_total` only grows. Ends when
   * what it returns is called.
   */
  state(name: string, about: string, read: () => Iterable<Sample> | Promise<Iterable<Sample>>): () => void;
}

const nothing = (): void => undefined;
const counter: Counter = { add: nothing };
const histogram: Histogram = { record: nothing };

export const noMetrics: Metrics = {
  counter: () => counter,
  histogram: () => histogram,
  state: () => nothing,
};
