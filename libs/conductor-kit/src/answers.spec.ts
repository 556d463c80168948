import type { Log } from "@greco/ports";
import { GrecoError } from "@greco/sdk";
import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { Answers } from "./answers.ts";
import { TaskGroup } from "./tasks.ts";

const refusal = (reason: string): GrecoError =>
  new GrecoError({
    code: "FAILED_PRECONDITION",
    reason,
    message: `refused: ${reason}`,
    violations: [],
    preconditions: [],
    metadata: {},
    retryAfterMs: undefined,
  });

/** What is logged of an answer that is refused for this reason. */
async function loggedOf(reason: string): Promise<readonly unknown[][]> {
  const lines: unknown[][] = [];
  const writes =
    (level: string) =>
    (...line: unknown[]): void =>
      void lines.push([level, ...line]);
  const log: Log = {
    debug: writes("debug"),
    info: writes("info"),
    warn: writes("warn"),
    error: writes("error"),
    child: () => log,
  };
  const tasks = new TaskGroup((error) => lines.push(["failed", error]));
  const { signal } = new AbortController();
  const ids = { next: () => "id", random: () => 0 };
  const answers = new Answers(
    { answerCommand: () => Promise.reject(refusal(reason)) },
    { clock: simulatedClock(), ids, minMs: 1, maxMs: 1 },
    { tasks, log, signal },
  );
  answers.send("p.review", { answer: { case: "accept", value: {} } });
  await tasks.idle();
  return lines;
}

it("takes it as usual that an accept comes after another's veto, and warns of every other refusal", async () => {
  const told = { commandId: "p.review", answer: "accept" };
  expect(await loggedOf("PROPOSAL_DECIDED")).toEqual([
    ["info", "conductor.answer-too-late", { ...told, why: "refused: PROPOSAL_DECIDED" }],
  ]);
  expect(await loggedOf("OTHER_DIGEST")).toEqual([
    ["warn", "conductor.answer-refused", { ...told, why: "OTHER_DIGEST: refused: OTHER_DIGEST" }],
  ]);
});
