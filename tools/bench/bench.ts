// What a benchmark is: one claim with a limit, measured by ratios within one run, because machines differ.

export type BenchContext = {
  readonly root: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
};

export type Measured = {
  /** What was measured, with unit and spread, for the table. */
  readonly figure: string;
  readonly pass: boolean;
  /** Raw numbers for `--out`. */
  readonly details?: Readonly<Record<string, unknown>>;
};

/** Each file of tools/bench/benches exports one as `bench`. */
export type Bench = {
  /** As the issues write it: `A-gap`. */
  readonly id: string;
  readonly title: string;
  /** The limit in words: `≤ 2 × the skeleton`. */
  readonly limit: string;
  run(context: BenchContext): Promise<Measured>;
};
