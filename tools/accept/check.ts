// What an acceptance check is: one claim of the issue or README, shown by running the thing.

export type CheckContext = {
  readonly root: string;
  /** Aborted on Ctrl-C: a check ends what it started. */
  readonly signal: AbortSignal;
  /** For what a reader wants to see on the way; goes to stderr. */
  readonly say: (line: string) => void;
};

export type Outcome = {
  /** What was seen, as a number with its unit or a short sentence; printed in full. */
  readonly figure: string;
  readonly pass: boolean;
};

/** Each file of tools/accept/checks exports one as `check`. */
export type Check = {
  /** As the issues write it: `A-main`. */
  readonly id: string;
  readonly title: string;
  run(context: CheckContext): Promise<Outcome>;
};
