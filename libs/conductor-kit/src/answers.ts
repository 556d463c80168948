/**
 * Sends answers to the coordinator until each is accepted or refused for good. One send a command at a time:
 * a repeat of the command while its answer is under way adds nothing. What is never delivered is asked for
 * again, and comes from the journal.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AnswerCommandRequestSchema } from "@greco/contracts/greco/conductor/v1/conductor";
import { GrecoError, type CallOptions, type CodeName } from "@greco/sdk";
import type { Log } from "@greco/ports";
import { untilDone, type Backoff } from "./backoff.ts";
import type { TaskGroup } from "./tasks.ts";
import { insteadOfTooLarge } from "./wire.ts";

export type AnswerRequest = MessageInitShape<typeof AnswerCommandRequestSchema>;

/** The part of the coordinator's client that answers. */
export type AnswerDoor = {
  readonly answerCommand: (request: AnswerRequest, options: CallOptions) => Promise<unknown>;
};

/** The coordinator has understood and said no; asking again says the same. */
const FOR_GOOD: ReadonlySet<CodeName> = new Set<CodeName>([
  "FAILED_PRECONDITION",
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
]);

const tooLarge = (error: unknown): boolean =>
  error instanceof GrecoError && error.code === "RESOURCE_EXHAUSTED" && error.reason === "MESSAGE_TOO_LARGE";

export const refusedForGood = (error: unknown): boolean =>
  error instanceof GrecoError && (FOR_GOOD.has(error.code) || tooLarge(error));

/** Another voter was faster: of two that are asked at once, a veto of one decides before the other's vote. */
const comesTooLate = (error: unknown): error is GrecoError =>
  error instanceof GrecoError && error.reason === "PROPOSAL_DECIDED";

/** The coordinator's own words: where this process asked is of no interest. */
const whyOf = (error: unknown): unknown =>
  error instanceof GrecoError
    ? `${error.reason === "" ? error.code : error.reason}: ${error.message}`
    : error;

export class Answers {
  readonly #door: AnswerDoor;
  readonly #backoff: Backoff;
  readonly #tasks: TaskGroup;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #sending = new Set<string>();

  constructor(
    door: AnswerDoor,
    backoff: Backoff,
    { tasks, log, signal }: { readonly tasks: TaskGroup; readonly log: Log; readonly signal: AbortSignal },
  ) {
    this.#door = door;
    this.#backoff = backoff;
    this.#tasks = tasks;
    this.#log = log;
    this.#signal = signal;
  }

  /** What is sent was durable before (I1): the caller sees to that. */
  send(commandId: string, request: AnswerRequest): void {
    if (commandId === "" || this.#sending.has(commandId)) return;
    this.#sending.add(commandId);
    this.#tasks.start(() => this.#deliver(commandId, request));
  }

  async #deliver(commandId: string, request: AnswerRequest): Promise<void> {
    const answer = request.answer?.case;
    try {
      await untilDone(
        this.#backoff,
        this.#signal,
        (signal) => this.#door.answerCommand(request, { signal }),
        (error, attempt) => {
          if (refusedForGood(error)) return "final";
          this.#log.warn("conductor.answer-undelivered", { commandId, answer, attempt, why: whyOf(error) });
          return "again";
        },
      );
      this.#log.debug("conductor.answered", { commandId, answer });
    } catch (error) {
      if (!refusedForGood(error)) throw error;
      if (comesTooLate(error))
        this.#log.info("conductor.answer-too-late", { commandId, answer, why: error.message });
      else this.#log.warn("conductor.answer-refused", { commandId, answer, why: whyOf(error) });
      const smaller = tooLarge(error) ? insteadOfTooLarge(request) : undefined;
      if (smaller !== undefined) await this.#deliver(commandId, smaller);
    } finally {
      this.#sending.delete(commandId);
    }
  }
}
