/** Puts an open question to conductors, and hands on what they answer until all have, or the time is over. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CommandSchema } from "@greco/contracts/greco/conductor/v1/conductor";
import type { ConductorId } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import { pauseMs } from "../backoff.ts";
import type { Coordinator } from "../coordinator.ts";
import { conductorName, modelName } from "../names.ts";
import { toMs } from "../wire/time.ts";
import type { Answered, OpenQuestion } from "./questions.ts";

type Command = MessageInitShape<typeof CommandSchema>;

export type Asking<A> = {
  readonly model: string;
  readonly open: OpenQuestion<A>;
  readonly command: NonNullable<Command["command"]>;
  readonly timeoutMs: number;
};

export async function* ask<A>(
  coordinator: Coordinator,
  asking: Asking<A>,
  signal: AbortSignal,
): AsyncGenerator<Answered<A>, void, undefined> {
  const { open, timeoutMs } = asking;
  const asked = open.silent();
  if (asked.length > 0) await announce(coordinator, asking, asked, signal);
  const answered = new AbortController();
  const reminding = remind(coordinator, asking, AbortSignal.any([signal, answered.signal]));
  try {
    yield* open.answers(timeoutMs, signal);
  } finally {
    answered.abort(new Error("all have answered, or the time is over"));
    await reminding;
  }
}

function announce<A>(
  { driver }: Coordinator,
  { model, open, command }: Asking<A>,
  to: readonly ConductorId[],
  signal: AbortSignal,
): Promise<void> {
  const { commandId } = open;
  const whole = { commandId, model: modelName(model), addressees: to.map(conductorName), command };
  return driver.announcer.publish(model, whole, signal);
}

/** The control log may lose what it was given (§4.2): who has not answered is asked again, until the signal aborts. */
async function remind<A>(coordinator: Coordinator, asking: Asking<A>, signal: AbortSignal): Promise<void> {
  const { clock, ids, limits, log } = coordinator.parts;
  const { model, open } = asking;
  const pauses = { minMs: limits.remindMinMs, maxMs: limits.remindMaxMs };
  for (let reminders = 1; open.silent().length > 0; reminders += 1) {
    try {
      await clock.sleep(pauseMs(pauses, reminders, ids), signal);
      const silent = open.silent();
      if (silent.length > 0) await announce(coordinator, asking, silent, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.warn("question.not-announced", { model, commandId: open.commandId, error });
    }
  }
}

/** How long answers are waited for, as the caller wishes it. */
export function timeoutOf(
  timeout: Parameters<typeof toMs>[0],
  { defaultMs, maxMs }: { readonly defaultMs: number; readonly maxMs: number },
): number {
  const ms = toMs(timeout) ?? defaultMs;
  if (ms > 0 && ms <= maxMs) return ms;
  const description = `must be above 0 and at most ${maxMs / 1000} s`;
  throw fault.invalid("INVALID_TIMEOUT", `timeout ${description}`, [{ field: "timeout", description }]);
}
