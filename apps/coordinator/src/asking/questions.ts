/**
 * Questions to conductors that are open at this replica (a plan, an inspection): answers by question, in memory, for
 * as long as somebody waits for them. Nothing of a question is durable, at the conductors either; an answer that
 * reaches another replica comes by way of the store.
 */
import type { AnswerCommandRequest } from "@greco/contracts/greco/conductor/v1/conductor";
import { judgeSender } from "@greco/domain/commit";
import { keys } from "@greco/control-kit";
import type { ConductorId } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import { conductorName, conductorOf, modelOf } from "../names.ts";
import type { Parts } from "../parts.ts";
import { leaveAnswer, answerOf } from "../store/answer-store.ts";
import { readConductor } from "../store/conductor-store.ts";

/** What sort of question it is. */
export type Sort<A> = {
  /** What is asked: `plan`. Command ids begin with it. */
  readonly name: string;
  /** What of an answer counts; undefined: it is none to a question of this sort. */
  readonly read: (request: AnswerCommandRequest) => A | undefined;
  /** With what a question of this sort is answered, in words. */
  readonly answeredBy: string;
  readonly reasons: { readonly ended: string; readonly notAsked: string };
};

export type Answered<A> = { readonly conductor: ConductorId; readonly answer: A };

/** One question: who is asked, and what has come. */
type Open<A> = {
  readonly model: string;
  readonly asked: ReadonlySet<ConductorId>;
  readonly answered: Set<ConductorId>;
  readonly arrived: Answered<A>[];
  wake: () => void;
};

export interface OpenQuestion<A> extends Disposable {
  readonly commandId: string;
  /** As they come; ends when all have answered, or after the time. */
  answers(timeoutMs: number, signal: AbortSignal): AsyncIterable<Answered<A>>;
  /** Who has not answered. */
  silent(): readonly ConductorId[];
}

/** Whether an answer is to a question, and not to a proposal's command: those are `PROPOSAL.KIND`. */
export function isQuestion(commandId: string): boolean {
  return commandId.split(".").length === 3;
}

export class Questions<A> {
  readonly #parts: Parts;
  readonly #replica: string;
  readonly #sort: Sort<A>;
  readonly #open = new Map<string, Open<A>>();

  constructor(parts: Parts, replica: string, sort: Sort<A>) {
    this.#parts = parts;
    this.#replica = replica;
    this.#sort = sort;
  }

  /** Whether a command is a question of this sort. */
  owns(commandId: string): boolean {
    return isQuestion(commandId) && commandId.startsWith(`${this.#sort.name}.`);
  }

  /** How many are open about a model. */
  openOn(model: string): number {
    return [...this.#open.values()].filter((each) => each.model === model).length;
  }

  open(model: string, asked: ReadonlySet<ConductorId>): OpenQuestion<A> {
    const commandId = `${this.#sort.name}.${this.#replica}.${this.#parts.ids.next()}`;
    const open: Open<A> = { model, asked, answered: new Set(), arrived: [], wake: () => undefined };
    this.#open.set(commandId, open);
    const elsewhere = new AbortController();
    this.#takeFromStore(model, commandId, elsewhere.signal).catch((error: unknown) => {
      if (!elsewhere.signal.aborted)
        this.#parts.log.warn("question.answers.not-watched", { commandId, error });
    });
    return {
      commandId,
      answers: (timeoutMs, signal) => answers(open, this.#parts, timeoutMs, signal),
      silent: () => [...asked].filter((conductor) => !open.answered.has(conductor)),
      [Symbol.dispose]: () => {
        elsewhere.abort(new Error(`the ${this.#sort.name} is over`));
        this.#open.delete(commandId);
      },
    };
  }

  async answer(request: AnswerCommandRequest, signal: AbortSignal): Promise<void> {
    const { commandId } = request;
    const mine = commandId.startsWith(`${this.#sort.name}.${this.#replica}.`);
    if (mine) return this.#take(request, await this.#incarnation(request, signal));
    // Another replica's; whether its question is still open, it alone knows.
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
    const { name, read, answeredBy, reasons } = this.#sort;
    const open = this.#open.get(request.commandId);
    const conductor = conductorOf(request.conductor);
    const refused = judgeSender(registered, senderOf(request));
    if (refused !== undefined) throw precondition(refused.reason, request, refused.message);
    if (open === undefined || open.model !== modelOf(request.model))
      throw precondition(reasons.ended, request, `nobody waits for this ${name} any more: drop the answer`);
    if (!open.asked.has(conductor))
      throw precondition(reasons.notAsked, request, `${conductor} was not asked for this ${name}`);
    const answer = read(request);
    if (answer === undefined)
      throw precondition("WRONG_ANSWER", request, `the question, ${name}, is answered by ${answeredBy}`);
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
          log.warn("question.answer.refused", { commandId, conductor: request.conductor, error });
        }
      }
  }
}

async function* answers<A>(
  open: Open<A>,
  { clock }: Parts,
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<Answered<A>, void, undefined> {
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
    ending.abort(new Error("the question is over"));
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
