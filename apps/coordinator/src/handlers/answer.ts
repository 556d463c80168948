/**
 * An answer of a conductor (I1): judged, so that it hears at once why it does not count, and given to whoever
 * drives. Votes need no transaction of their own: each is durable at its voter, which repeats it when asked again.
 */
import type { AnswerCommandRequest } from "@greco/contracts/greco/conductor/v1/conductor";
import { judgeAnswer, parseCommandId, type AnswerEnvelope, type Verdict } from "@greco/domain/commit";
import { keys } from "@greco/control-kit";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { clearOwed } from "../driver/owed.ts";
import { conductorName, conductorOf, modelName, modelOf, proposalName } from "../names.ts";
import { leaveAnswer } from "../store/answer-store.ts";
import {
  putConductor,
  readConductor,
  unchanged,
  type ConductorRecord,
  type Stored,
} from "../store/conductor-store.ts";
import { toAnswer } from "../wire/votes.ts";

type Said = { readonly model: string; readonly proposal: string; readonly envelope: AnswerEnvelope };

export async function answerCommand(
  coordinator: Coordinator,
  request: AnswerCommandRequest,
  { signal }: CallContext,
): Promise<Record<string, never>> {
  const { parts, plans, inspections, driver } = coordinator;
  for (const questions of [plans, inspections])
    if (questions.owns(request.commandId)) {
      await questions.answer(request, signal);
      return {};
    }
  const said = read(request);
  const { model, proposal, envelope } = said;
  const runner = driver.runner(model, proposal);
  if (runner !== undefined) {
    const stored = await knownAs(coordinator, model, envelope, signal);
    refuse(said, runner.answer(envelope, incarnationOf(stored)));
    if (stored !== undefined) noteHeard(coordinator, stored);
    return {};
  }
  const registered = incarnationOf(await readConductor(parts.store, model, envelope.conductor, signal));
  const standing = await coordinator.proposals.read(model, proposal, signal);
  if (standing === undefined) throw unknownCommand(said);
  const verdict = judgeAnswer(standing.proposal, registered, envelope);
  refuse(said, verdict);
  await clearOwed(parts.store, standing.proposal, envelope, signal);
  if (verdict.verdict === "new") await leaveAnswer(parts.store, request, parts.limits, signal);
  return {};
}

/** What another replica has left for the driver; its conductor was answered there. */
export async function takeAnswer(
  { parts, driver }: Pick<Coordinator, "parts" | "driver">,
  request: AnswerCommandRequest,
  signal: AbortSignal,
): Promise<void> {
  const { model, proposal, envelope } = read(request);
  const runner = driver.runner(model, proposal);
  if (runner === undefined) return;
  const registered = incarnationOf(await readConductor(parts.store, model, envelope.conductor, signal));
  const verdict = runner.answer(envelope, registered);
  if (verdict.verdict === "refused") parts.log.warn("commit.answer.refused", { model, proposal, ...verdict });
}

/** Whoever does not fit what this replica knows may have registered at another one. */
async function knownAs(
  { driver }: Coordinator,
  model: string,
  { conductor, incarnation }: AnswerEnvelope,
  signal: AbortSignal,
): Promise<Stored<ConductorRecord> | undefined> {
  const known = await driver.roster.get(model, conductor, signal);
  return incarnationOf(known) === incarnation ? known : await driver.roster.fresh(model, conductor, signal);
}

function read(request: AnswerCommandRequest): Said {
  const command = parseCommandId(request.commandId);
  if (command === undefined) {
    const description = `${JSON.stringify(request.commandId)} is not the id of a command: repeat the one that the command carries`;
    throw fault.precondition("UNKNOWN_COMMAND", description, [
      { type: "UNKNOWN_COMMAND", subject: request.model, description },
    ]);
  }
  const answer = toAnswer(request);
  if (answer === undefined) {
    const description = "is required: accept, veto, ready, failed or settled";
    throw fault.invalid("ANSWER_MISSING", `answer ${description}`, [{ field: "answer", description }]);
  }
  const { candidate, digest } = request;
  return {
    model: modelOf(request.model),
    proposal: command.proposal,
    envelope: {
      conductor: conductorOf(request.conductor),
      incarnation: Number(request.incarnation),
      command: command.kind,
      ...{ candidate, digest, answer },
    },
  };
}

function incarnationOf(stored: Stored<ConductorRecord> | undefined): number | undefined {
  return stored === undefined || stored.value.deregistered !== undefined
    ? undefined
    : stored.value.incarnation;
}

function refuse({ model, proposal, envelope }: Said, verdict: Verdict): void {
  if (verdict.verdict !== "refused") return;
  const { reason, message: description } = verdict;
  const subject =
    reason.includes("REGISTERED") || reason.includes("INCARNATION")
      ? `${modelName(model)}/${conductorName(envelope.conductor)}`
      : proposalName(model, proposal);
  throw fault.precondition(reason, description, [{ type: reason, subject, description }]);
}

function unknownCommand({ model, proposal }: Said): Error {
  const description = `${model} has no proposal ${proposal}: the command is not one of this control plane`;
  return fault.precondition("UNKNOWN_COMMAND", description, [
    { type: "UNKNOWN_COMMAND", subject: proposalName(model, proposal), description },
  ]);
}

/** For people who look at a list: now and then, beside the call, and never over a change of another's. */
function noteHeard({ parts }: Coordinator, { value, revision }: Stored<ConductorRecord>): void {
  const { store, clock, limits, log, running } = parts;
  const nowMs = clock.nowMs();
  if (nowMs - value.lastHeardAtMs < limits.heardMs) return;
  const key = keys.conductor(value.model, value.conductor);
  const then = [putConductor({ ...value, lastHeardAtMs: nowMs })];
  store
    .transact({ compare: [unchanged(key, revision)], then }, running)
    .catch((error: unknown) => log.debug("conductor.heard.not-noted", { conductor: value.conductor, error }));
}
