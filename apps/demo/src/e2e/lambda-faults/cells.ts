/** The cells: each operation × each call that a clean run of it makes × everything that may go wrong there. */
import type { OperationName } from "./operations.ts";
import type { Step } from "./steps.ts";
import { troublesAt, type Trouble } from "./troubles.ts";

export type Cell = {
  readonly operation: OperationName;
  readonly step: Step;
  readonly trouble: Trouble;
};

/** What each operation calls, as its clean run made it. */
export type Recorded = ReadonlyMap<OperationName, readonly Step[]>;

export const titleOf = ({ operation, step, trouble }: Cell): string =>
  `${operation} | ${step.name} | ${trouble.name}`;

/** All of them; with `every` each so-many-th, which goes through the calls and through the troubles alike. */
export function cellsOf(recorded: Recorded, every = 1): readonly Cell[] {
  const all = [...recorded].flatMap(([operation, steps]) =>
    steps
      .filter(({ polls }) => !polls)
      .flatMap((step) =>
        troublesAt(step, operation === "create").map((trouble): Cell => ({ operation, step, trouble })),
      ),
  );
  return all.filter((_cell, index) => index % every === 0);
}

/** An aborted operation has the calls of one that is not, up to what aborts it: its cells are those of the way back. */
export function wayBack(steps: readonly Step[]): readonly Step[] {
  const seen = steps.findIndex(({ name }) => name === "GetFunction of a version, after PublishVersion");
  if (seen === -1)
    throw new Error(`nobody looked at the version: ${steps.map(({ name }) => name).join("; ")}`);
  return steps.slice(seen + 1);
}
