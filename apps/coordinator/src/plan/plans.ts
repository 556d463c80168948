/**
 * Plans that are open at this replica: answers by plan, in memory, for as long as somebody waits for them. Nothing
 * of a plan is durable, at the conductors either; an answer that reaches another replica comes by way of the store.
 */
import type { AnswerCommandRequest } from "@greco/contracts/greco/conductor/v1/conductor";
import { judgeSender, type Answer } from "@greco/domain/commit";
import { keys } from "@greco/control-kit";
import type { ConductorId } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import { conductorName, conductorOf, modelOf } from "../names.ts";
import type { Parts } from "../parts.ts";
import { answerOf, leaveAnswer } from "../store/answer-store.ts";
import { readConductor } from "../store/conductor-store.ts";
import { toAnswer } from "../wire/votes.ts";

export type PlanAnswer = {
  readonly conductor: ConductorId;
  readonly answer: Answer & { readonly kind: "accept" | "veto" };
};

/** One plan: who is asked, and what has come. */
type Open = {
  readonly model: string;
  readonly asked: ReadonlySet<ConductorId>;
  readonly answered: Set<ConductorId>;
  readonly arrived: PlanAnswer[];
  wake: () => void;
};

export interface OpenPlan extends Disposable {
  readonly commandId: string;
  /** As they come; ends when all have answered, or after the time. */
  answers(timeoutMs: number, signal: AbortSignal): AsyncIterable<PlanAnswer>;
  /** Who has not answered. */
  silent(): readonly ConductorId[];
}

const PREFIX = "plan.";

/** Whether an answer is for a plan, and not for a proposal. */
export function isPlanCommand(commandId: string): boolean {
  return commandId.startsWith(PREFIX);
}

export class Plans {
  readonly #parts: Parts;
  readonly #replica: string;
  readonly #open = new Map<string, Open>();

  constructor(parts: Parts, replica: string) {
    this.#parts = parts;
    this.#replica = replica;
  }

  open(model: string, asked: ReadonlySet<ConductorId>): OpenPlan {
    const commandId = `${PREFIX}${this.#replica}.${this.#parts.ids.next()}`;
    const open: Open = { model, asked, answered: new Set(), arrived: [], wake: () => undefined };
    this.#open.set(commandId, open);
    const elsewhere = new AbortController();
    this.#takeFromStore(model, commandId, elsewhere.signal).catch((error: unknown) => {
      if (!elsewhere.signal.aborted) this.#parts.log.warn("plan.answers.not-watched", { commandId, error });
    });
    return {
      commandId,
      answers: (timeoutMs, signal) => answers(open, this.#parts, timeoutMs, signal),
      silent: () => [...asked].filter((conductor) => !open.answered.has(conductor)),
      [Symbol.dispose]: () => {
        elsewhere.abort(new Error("the plan is over"));
        this.#open.delete(commandId);
      },
    };
  }

  async answer(request: AnswerCommandRequest, signal: AbortSignal): Promise<void> {
    const { commandId } = request;
    const mine = commandId.startsWith(`${PREFIX}${this.#replica}.`);
    if (mine) return this.#take(request, await this.#incarnation(request, signal));
    // Another replica's; whether its plan is still open, it alone knows.
    const refused = judgeSender(await this.#incarnation(request, signal), senderOf(request));
    if (refused !== undefined) throw precondition(refused.reason, request, refused.message);
    await leaveAnswer(this.#parts.store, request, this.#parts.limits, signal);
  }

  async #incarnation(request: AnswerCommandRequest, signal: AbortSignal): Promise<number | undefined> {
    const model = modelOf(request.model);
    const stored = await readConductor(this.#parts.store, model, conductorOf(request.conductor), signal);
    return stored === undefined || stored.value.deregistered !== undefined
      ? undefined
      : stored.value.incarnation;
  }

  #take(request: AnswerCommandRequest, registered: number | undefined): void {
    const open = this.#open.get(request.commandId);
    const conductor = conductorOf(request.conductor);
    const refused = judgeSender(registered, senderOf(request));
    if (refused !== undefined) throw precondition(refused.reason, request, refused.message);
    if (open === undefined || open.model !== modelOf(request.model))
      throw precondition("PLAN_ENDED", request, "nobody waits for this plan any more: drop the answer");
    if (!open.asked.has(conductor))
      throw precondition("NOT_A_VOTER", request, `${conductor} was not asked for this plan`);
    const answer = toAnswer(request);
    if (answer?.kind !== "accept" && answer?.kind !== "veto")
      throw precondition("WRONG_ANSWER", request, "a plan is answered by accept or veto");
    if (open.answered.has(conductor)) return;
    open.answered.add(conductor);
    open.arrived.push({ conductor, answer });
    open.wake();
  }

  async #takeFromStore(model: string, commandId: string, signal: AbortSignal): Promise<void> {
    const { store, log } = this.#parts;
    const prefix = `${keys.answers()}${model}/${commandId}/`;
    for await (const { events } of store.watch({ prefix }, 0, signal))
      for (const event of events) {
        const request = event.type === "put" ? await answerOf(store, event.entry, signal) : undefined;
        if (request === undefined) continue;
        try {
          this.#take(request, await this.#incarnation(request, signal));
        } catch (error) {
          log.warn("plan.answer.refused", { commandId, conductor: request.conductor, error });
        }
      }
  }
}

async function* answers(
  open: Open,
  { clock }: Parts,
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<PlanAnswer, void, undefined> {
  const ending = new AbortController();
  const scope = AbortSignal.any([signal, ending.signal]);
  let late = false;
  const timer = clock.sleep(timeoutMs, scope).then(
    () => {
      late = true;
      open.wake();
    },
    () => open.wake(),
  );
  try {
    for (let told = 0; told < open.asked.size;) {
      const next = open.arrived[told];
      if (next !== undefined) {
        told += 1;
        yield next;
        continue;
      }
      if (late) return;
      signal.throwIfAborted();
      await new Promise<void>((resolve) => (open.wake = resolve));
    }
  } finally {
    ending.abort(new Error("the plan is over"));
    await timer;
  }
}

const senderOf = ({
  conductor,
  incarnation,
}: AnswerCommandRequest): { conductor: ConductorId; incarnation: number } => ({
  conductor: conductorOf(conductor),
  incarnation: Number(incarnation),
});

function precondition(reason: string, request: AnswerCommandRequest, description: string): Error {
  const subject = `${request.model}/${conductorName(conductorOf(request.conductor))}`;
  return fault.precondition(reason, description, [{ type: reason, subject, description }]);
}
