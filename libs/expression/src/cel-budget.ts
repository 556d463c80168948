/**
 * What one evaluation may cost, in steps and not in time: a replay fails where the first run failed (I6).
 * Evaluation is synchronous, so one counter is enough.
 */
import { CEL_RESULT_MAX, CEL_STEPS_MAX } from "./limits.ts";

export class BudgetError extends Error {
  override name = "BudgetError";
}

/** Made once: it is thrown in loops, and its stack would say nothing. */
const exhausted = new BudgetError(
  `needs more than ${CEL_STEPS_MAX} steps: take smaller lists, or fewer loops in loops`,
);
const tooLarge = new BudgetError(
  `makes a text or list of more than ${CEL_RESULT_MAX} characters or elements`,
);

let left = CEL_STEPS_MAX;

export function refillBudget(): void {
  left = CEL_STEPS_MAX;
}

/** CEL's `||`, `all` and the like swallow an error; this one stands until the next refill. */
export function isExhausted(): boolean {
  return left < 0;
}

export function exhaustedError(): BudgetError {
  return exhausted;
}

export function spend(steps: number): void {
  if (left >= 0) left -= steps;
  if (left < 0) throw exhausted;
}

/** Throws when a value that an expression made is too large. */
export function checkSize(value: unknown): void {
  if (
    typeof value === "string"
      ? value.length > CEL_RESULT_MAX
      : Array.isArray(value) && value.length > CEL_RESULT_MAX
  )
    throw tooLarge;
}

/** Spends a step for every part of a value, those that it holds twice twice: what comparing it would cost. */
export function spendOn(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  spend(1);
  if (value instanceof Map) for (const item of value.values()) spendOn(item);
  else for (const item of Object.values(value)) spendOn(item);
}
