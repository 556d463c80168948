import type { Log } from "@greco/ports";
import { GrecoError } from "@greco/sdk";
import { simulatedClock } from "@greco/simulation";
import { expect, it } from "vitest";
import { Answers, type AnswerRequest } from "./answers.ts";
import { TaskGroup } from "./tasks.ts";

const tooLarge = new GrecoError({
  code: "RESOURCE_EXHAUSTED",
  reason: "MESSAGE_TOO_LARGE",
  message: "the message is larger than 4 bytes",
  violations: [],
  preconditions: [],
  metadata: {},
  retryAfterMs: undefined,
});

/** What arrives at a coordinator that takes no yes: each is too large for it. */
async function arrivedOf(answer: NonNullable<AnswerRequest["answer"]>): Promise<AnswerRequest[]> {
  const arrived: AnswerRequest[] = [];
  const answerCommand = async (request: AnswerRequest): Promise<void> => {
    arrived.push(request);
    if (request.answer?.case === "accept" || request.answer?.case === "ready") throw tooLarge;
  };
  const nothing = (): void => undefined;
  const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log };
  const tasks = new TaskGroup((error) => {
    throw error;
  });
  const ids = { next: () => "id", random: () => 0 };
  const { signal } = new AbortController();
  const answers = new Answers(
    { answerCommand },
    { clock: simulatedClock(), ids, minMs: 1, maxMs: 1 },
    { tasks, log, signal },
  );
  answers.send("p.prepare", { commandId: "p.prepare", conductor: "conductors/c", digest: "d", answer });
  await tasks.idle();
  return arrived;
}

const finding = (message: string) => ({
  findings: [
    expect.objectContaining({
      reason: "ANSWER_TOO_LARGE",
      message: expect.stringContaining(message) as string,
    }),
  ],
});

it("I11: a yes that is too large for a message becomes a no that says so, and is not sent for ever", async () => {
  const bindings = [{ entity: "a" }, { entity: "b" }];
  const [, failed, ...more] = await arrivedOf({ case: "ready", value: { bindings } });
  expect(failed).toMatchObject({
    ...{ commandId: "p.prepare", conductor: "conductors/c", digest: "d" },
    answer: { case: "failed", value: finding("is ready with 2 bindings") },
  });
  expect(more).toEqual([]);
  const plan = { claims: ["a"], steps: [] };
  const [, veto] = await arrivedOf({ case: "accept", value: { plan } });
  expect(veto).toMatchObject({
    answer: { case: "veto", value: finding("claims 1 entities, with 0 steps") },
  });
});
