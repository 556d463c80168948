/** What came of the cells, as Markdown: one row for each call of each operation. */
import { titleOf, type Cell } from "./cells.ts";
import type { Ended } from "./stage.ts";

export type Result = { readonly cell: Cell; readonly ended: Ended };

/** Never made a call is not what was to be seen. */
export const problemsOf = ({ ended }: Result): readonly string[] =>
  ended.met ? ended.problems : ["its call was never made", ...ended.problems];

export const isRight = (result: Result): boolean => problemsOf(result).length === 0;

const count = (results: readonly Result[], outcome: Ended["outcome"]): number =>
  results.filter((result) => isRight(result) && result.ended.outcome === outcome).length;

const countsOf = (results: readonly Result[]): readonly number[] => [
  results.length,
  count(results, "committed"),
  count(results, "aborted"),
  results.filter((result) => !isRight(result)).length,
];

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;

export function tableOf(results: readonly Result[]): string {
  const groups = Map.groupBy(results, ({ cell }) => `${cell.operation}\n${cell.step.name}`);
  const rows = [...groups].map(([place, some]) => {
    const [operation = "", step = ""] = place.split("\n");
    const troubles = some.map(({ cell }) => cell.trouble.name).join(", ");
    return row([operation, step, ...countsOf(some), troubles]);
  });
  return [
    row(["operation", "call", "cells", "committed", "aborted", "wrong", "what went wrong there"]),
    row(["---", "---", "--:", "--:", "--:", "--:", "---"]),
    ...rows,
    row(["**all**", "", ...countsOf(results), ""]),
  ].join("\n");
}

export function figureOf(results: readonly Result[]): string {
  const [cells, committed, aborted, wrong] = countsOf(results);
  const calls = new Set(results.map(({ cell }) => `${cell.operation} ${cell.step.name}`)).size;
  const kills = results.filter(({ cell }) => cell.trouble.type === "kill").length;
  const of = [...Map.groupBy(results, ({ cell }) => cell.operation)].map(([operation, some]) => {
    const [all, , without, not] = countsOf(some);
    return `${operation}: ${all} (aborted ${without}, wrong ${not})`;
  });
  const outcomes = `committed ${committed}, aborted ${aborted}, wrong ${wrong}`;
  return `${cells} cells at ${calls} calls, ${kills} of them kill -9: ${outcomes} (${of.join("; ")})`;
}

export const wrongOf = (results: readonly Result[]): readonly string[] =>
  results
    .filter((result) => !isRight(result))
    .map((result) => `${titleOf(result.cell)}: ${problemsOf(result).join("; ")}`);
