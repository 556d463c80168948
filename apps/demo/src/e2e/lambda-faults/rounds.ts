/**
 * In which order the cells are run. A round is one operation in many models side by side, each with a cell of its own;
 * kill -9 meets all of them at once, so cells with a kill have rounds of their own, in which every model is at its call
 * when the process dies.
 */
import type { Cell } from "./cells.ts";
import { OPERATIONS, type OperationName } from "./operations.ts";

export type Round = {
  readonly operation: OperationName;
  readonly kills: boolean;
  /** None: it is done without trouble, for the sake of the next round. */
  readonly cells: readonly Cell[];
};

/** Of the account, not of a function: whoever waits for it keeps all models waiting. */
const SHARED = "GetAccountSettings";
/** Calls that come long after the others: who waits at an early one had better not wait for many of them. */
const isLate = ({ operation, step: { name } }: Cell): boolean =>
  operation === "delete" ||
  /DeleteProvisionedConcurrencyConfig of a version|DeleteFunction|Alias$/.test(name);

function classOf(cell: Cell): string {
  const { step, trouble } = cell;
  if (trouble.type !== "kill") return step.operation === SHARED ? "calm, shared" : "calm";
  if (step.operation === SHARED) return "kill, shared";
  return isLate(cell) ? "kill, late" : "kill";
}

const chunked = <T>(all: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );

/** Of one operation. A shared call is met once a round. */
function roundsOf(operation: OperationName, cells: readonly Cell[], models: number): readonly Round[] {
  const of = Map.groupBy(
    cells.filter((cell) => cell.operation === operation),
    classOf,
  );
  const take = (name: string): Cell[] => [...(of.get(name) ?? [])];
  const [calm, shared] = [take("calm"), take("calm, shared")];
  const rounds: Round[] = [];
  while (calm.length + shared.length > 0) {
    const one = shared.splice(0, 1);
    rounds.push({ operation, kills: false, cells: [...one, ...calm.splice(0, models - one.length)] });
  }
  const [early, late] = [take("kill"), take("kill, late")];
  const killing =
    early.length + late.length <= models
      ? chunked([...early, ...late], models)
      : [...chunked(early, models), ...chunked(late, models)];
  for (const some of [...killing, ...chunked(take("kill, shared"), 1)])
    rounds.push({ operation, kills: true, cells: some });
  return rounds;
}

/**
 * Lives of a query, one after the other: made, changed some times, deleted. As many as there are rounds of the create or
 * of the delete; what comes in between is spread over them.
 */
export function roundsFor(cells: readonly Cell[], models: number): readonly Round[] {
  const queues = new Map(OPERATIONS.map((name) => [name, [...roundsOf(name, cells, models)]]));
  const left = (name: OperationName): number => queues.get(name)?.length ?? 0;
  const lives = Math.max(1, left("create"), left("delete"));
  const rounds: Round[] = [];
  for (let life = lives; life > 0; life -= 1)
    for (const name of OPERATIONS) {
      const some = queues.get(name)?.splice(0, Math.ceil(left(name) / life)) ?? [];
      const none: Round = { operation: name, kills: false, cells: [] };
      rounds.push(...(some.length === 0 && (name === "create" || name === "delete") ? [none] : some));
    }
  return rounds;
}
