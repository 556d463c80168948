import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { onAbort } from "./on-abort.ts";

it("tells each who waits once, in order, and shares one listener, which goes with the last", () => {
  const abort = new AbortController();
  const { signal } = abort;
  const told: string[] = [];
  const leave = ["a", "b", "c"].map((name) => onAbort(signal, () => void told.push(name)));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  leave[1]?.();
  abort.abort();
  leave[0]?.();
  expect(told).toEqual(["a", "c"]);

  const other = new AbortController();
  for (const each of [1, 2].map(() => onAbort(other.signal, () => void told.push("late")))) each();
  expect(getEventListeners(other.signal, "abort")).toHaveLength(0);
  onAbort(other.signal, () => void told.push("anew"));
  other.abort();
  expect(told).toEqual(["a", "c", "anew"]);
});
