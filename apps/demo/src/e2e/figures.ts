/** What a test measured, for who runs it as an acceptance check (tools/accept/suites.ts). */
import type { CheckReport } from "../checker.ts";
import type { Flow } from "./flow.ts";

declare module "vitest" {
  interface TaskMeta {
    figure?: string;
    /** What is too long for it, as Markdown. */
    table?: string;
  }
}

type Found = Pick<CheckReport, "lost" | "duplicated" | "misapplied" | "mistakes" | "inputs" | "outputs">;

/** The checker's report beside the one that it must be: every flight that was acknowledged, paid once. */
export function checked(
  report: CheckReport,
  flow: Flow,
): { readonly found: Found; readonly right: Found; readonly figure: string } {
  const { lost, duplicated, misapplied, mistakes, inputs, outputs } = report;
  const { acknowledged } = flow.progress;
  return {
    found: { lost, duplicated, misapplied, mistakes, inputs, outputs },
    right: {
      ...{ lost: 0, duplicated: 0, misapplied: 0, mistakes: [] },
      ...{ inputs: acknowledged, outputs: acknowledged },
    },
    figure: `${inputs} flights in, ${outputs} payouts out, lost ${lost}, duplicated ${duplicated}, misapplied ${misapplied}`,
  };
}
