/** C-fault: a clean run tells the cells, and each of them is run. What the files of tests share. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cellsOf, titleOf, wayBack, type Cell, type Recorded } from "./cells.ts";
import type { Kill } from "./kill.ts";
import { operations, type OperationName } from "./operations.ts";
import { roundsFor, type Round } from "./rounds.ts";
import type { Ended, Stage } from "./stage.ts";
import type { Step } from "./steps.ts";
import { figureOf, isRight, problemsOf, tableOf, wrongOf, type Result } from "./table.ts";
import { FaultsWorld } from "./world.ts";

export type SuiteOptions = {
  /** Side by side; at least the three that the clean run takes. */
  readonly models: number;
  /** 1: all cells; 10: each tenth. */
  readonly every: number;
  /** Of those, the ones whose title has it: `code | PublishVersion | kill late`. */
  readonly only?: RegExp;
  readonly withinMs: number;
};

const OPEN_MS = 300_000;
/** A cell takes half a minute on an idle machine; what is waited for longer will not come. */
const ROUND_MS = 150_000;
/** More of them would only say the same again. */
const WRONG_ROUNDS_MAX = 3;

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

const say = (line: string): void => {
  if (process.env["LOG"] !== undefined) process.stderr.write(`${line}\n`);
};

/** Resolves with what it called; rejects where anything was not as it must be: nothing went wrong yet. */
async function clean(stage: Stage, name: OperationName): Promise<readonly Step[]> {
  const { problems, steps } = await stage.run(name, undefined, undefined, within(ROUND_MS));
  if (problems.length > 0) throw new Error(`a clean ${name} of ${stage.parts.model}: ${problems.join("; ")}`);
  return steps;
}

/** One after the other. What each called, by its name. */
async function inOrder(
  stage: Stage,
  names: readonly OperationName[],
): Promise<(name: OperationName) => readonly Step[]> {
  const steps = new Map<OperationName, readonly Step[]>();
  for (const name of names) steps.set(name, await clean(stage, name));
  return (name) => steps.get(name) ?? [];
}

/** Each operation once, with nothing going wrong, in three models side by side. */
async function record(world: FaultsWorld): Promise<Recorded> {
  const [one, other, third] = world.stages;
  if (one === undefined || other === undefined || third === undefined)
    throw new Error("three models at least");
  await world.restart(within(ROUND_MS));
  const [made, configured, aborted] = await Promise.all([
    inOrder(one, ["create", "code", "delete"]),
    inOrder(other, ["create", "configuration"]),
    inOrder(third, ["create, aborted", "create", "code, aborted"]),
  ]);
  const account: Step = {
    name: "GetAccountSettings",
    operation: "GetAccountSettings",
    writes: false,
    polls: false,
  };
  return new Map<OperationName, readonly Step[]>([
    ["create, aborted", wayBack(aborted("create, aborted"))],
    ["create", [...made("create"), ...(world.askedForAccount ? [account] : [])]],
    ["code, aborted", wayBack(aborted("code, aborted"))],
    ["code", made("code")],
    ["configuration", configured("configuration")],
    ["delete", made("delete")],
  ]);
}

const notRun = (why: string): Ended => ({ outcome: "undecided", met: true, problems: [why], steps: [] });

class Runner {
  readonly #world: FaultsWorld;
  readonly results: Result[] = [];
  /** Of models that had no cell in a round. */
  readonly others: string[] = [];
  /** Where something has not become as it must be: nothing more can be said of what is run on it. */
  readonly #stuck = new Set<Stage>();
  #wrongRounds = 0;

  constructor(world: FaultsWorld) {
    this.#world = world;
  }

  async run(rounds: readonly Round[]): Promise<void> {
    for (const [index, round] of rounds.entries()) {
      const began = performance.now();
      const results = this.#wrongRounds < WRONG_ROUNDS_MAX ? await this.#round(round) : this.#skipped(round);
      this.results.push(...results);
      const wrong = results.filter((result) => !isRight(result));
      if (wrong.length > 0) this.#wrongRounds += 1;
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      const kind = `${round.operation}${round.kills ? ", kill -9" : ""}`;
      say(
        `round ${index + 1} of ${rounds.length}: ${kind}: ${results.length} cells, ${wrong.length} wrong, ${seconds} s`,
      );
      for (const each of wrong) {
        say(`  ${wrongOf([each]).join()}`);
        say(`    it called ${each.ended.steps.map(({ name }) => name).join("; ")}`);
      }
    }
  }

  #skipped({ cells }: Round): readonly Result[] {
    return cells.map((cell) => ({ cell, ended: notRun("not run: too much was wrong before") }));
  }

  async #round({ operation, kills, cells }: Round): Promise<readonly Result[]> {
    const world = this.#world;
    // Lives begin and end together, also where there is no cell for a model.
    const joins = operation === "create" || operation === "delete";
    const parties = world.stages.flatMap((stage, index): readonly [Stage, Cell | undefined][] => {
      const cell = cells[index];
      return cell === undefined && !joins ? [] : [[stage, cell]];
    });
    const before = new Map(
      await Promise.all(
        parties.map(async ([stage]) => [stage, await this.#prepared(stage, operation)] as const),
      ),
    );
    if (operation === "create") await world.restart(within(ROUND_MS));
    await world.settled(this.#stuck, within(ROUND_MS));
    const ready = parties.filter(([stage]) => before.get(stage) === undefined);
    const killed = ready.filter(([, cell]) => cell?.trouble.type === "kill").length;
    const kill = kills && killed > 0 ? world.kill(killed, within(2 * ROUND_MS)) : undefined;
    const ended = new Map(
      await Promise.all(
        ready.map(async ([stage, cell]) => [stage, await this.#one(stage, operation, cell, kill)] as const),
      ),
    );
    await kill?.restarted;
    const foreign = await world.foreignProblems(within(ROUND_MS));
    return parties.flatMap(([stage, cell]): readonly Result[] => {
      const { problems, ...rest } = before.get(stage) ?? ended.get(stage) ?? notRun("not run");
      const all = { ...rest, problems: [...problems, ...foreign] };
      if (cell !== undefined) return [{ cell, ended: all }];
      for (const problem of all.problems) this.others.push(`${operation}, beside the cells: ${problem}`);
      return [];
    });
  }

  /** Undefined: the query is there, or is not, as the operation needs it. */
  async #prepared(stage: Stage, operation: OperationName): Promise<Ended | undefined> {
    if (this.#stuck.has(stage)) return notRun(`not run: ${stage.parts.model} is not as it must be`);
    const present = operations[operation].on === "present";
    if (stage.isPresent === present) return undefined;
    const ended = await this.#one(stage, present ? "create" : "delete", undefined, undefined);
    return ended.problems.length === 0 ? undefined : ended;
  }

  async #one(
    stage: Stage,
    operation: OperationName,
    cell: Cell | undefined,
    kill: Kill | undefined,
  ): Promise<Ended> {
    const ended = await stage.run(
      operation,
      cell,
      cell?.trouble.type === "kill" ? kill : undefined,
      within(ROUND_MS),
    );
    if (ended.problems.length > 0) this.#stuck.add(stage);
    return ended;
  }
}

export function lambdaFaultsSuite(
  title: string,
  { models, every, only = /(?:)/, withinMs }: SuiteOptions,
): void {
  describe(title, () => {
    const opened = new AsyncDisposableStack();
    let world: FaultsWorld;
    beforeAll(async () => {
      world = opened.use(await FaultsWorld.open(models, within(OPEN_MS)));
    }, OPEN_MS);
    afterAll(async () => {
      await opened.disposeAsync();
    });

    it(
      "ends ready or aborted whatever goes wrong at whichever call, with no version lost that a lane needs",
      { timeout: withinMs },
      async (test) => {
        const runner = new Runner(world);
        const cells = cellsOf(await record(world), every).filter((cell) => only.test(titleOf(cell)));
        await runner.run(roundsFor(cells, models));
        const { results, others } = runner;
        test.task.meta.figure = figureOf(results);
        test.task.meta.table = tableOf(results);
        if (results.some((result) => problemsOf(result).length > 0)) say(world.lastWords);
        expect(results.length).toBeGreaterThan(0);
        expect([...wrongOf(results), ...others]).toEqual([]);
      },
    );

    it("leaves nothing of ours but what is in force, and of others' everything as it was", async () => {
      expect(await world.leftovers(within(ROUND_MS))).toEqual([]);
      expect(await world.foreignProblems(within(ROUND_MS))).toEqual([]);
    });
  });
}
