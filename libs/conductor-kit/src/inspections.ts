/**
 * Looks outside that were asked for: one at a time, each within its time. A repeat of one that is under way, or
 * waits, adds nothing; of one that has ended it gets the first answer, for as long as that is kept.
 */
import type { Inspect } from "@greco/contracts/greco/conductor/v1/conductor";
import { inspect, nothingFound, type Found } from "./inspecting.ts";
import type { Session } from "./session.ts";
import { toMode, toMs } from "./wire.ts";

export class Inspections {
  /** Undefined: not answered yet. The oldest first. */
  readonly #answers = new Map<string, Found | undefined>();
  #turn: Promise<void> = Promise.resolve();

  ask(session: Session, commandId: string, request: Inspect): void {
    if (this.#answers.has(commandId)) {
      const first = this.#answers.get(commandId);
      if (first !== undefined) session.tell(commandId, first);
      return;
    }
    const { limits, log } = session.context;
    if (isStale(session, request)) return log.debug("conductor.inspection-stale", { commandId });
    const waiting = [...this.#answers.values()].filter((each) => each === undefined).length;
    // Who asked asks again.
    if (waiting >= limits.inspectionsMax)
      return log.warn("conductor.inspections-full", { commandId, waiting });
    this.#answers.set(commandId, undefined);
    session.begin(async () => {
      const found = await this.#inTurn(session, request);
      this.#keep(commandId, found, limits.inspectionsMax);
      session.tell(commandId, found);
    });
  }

  #keep(commandId: string, found: Found, max: number): void {
    this.#answers.set(commandId, found);
    const ended = [...this.#answers].filter(([, each]) => each !== undefined);
    for (const [oldest] of ended.slice(0, Math.max(0, ended.length - max))) this.#answers.delete(oldest);
  }

  /** Its time runs while it waits: whoever has asked does not wait longer for that. */
  async #inTurn(session: Session, request: Inspect): Promise<Found> {
    const { clock, limits, log } = session.context;
    const mode = toMode(request.mode);
    if (mode === undefined) return { ...nothingFound, supported: false };
    const givenMs = toMs(request.remaining) ?? limits.inspectMs;
    const time = new AbortController();
    const over = AbortSignal.any([time.signal, session.signal]);
    const alarm = clock.sleep(givenMs, over).then(
      () => time.abort(new Error(`it took longer than the ${givenMs / 1000} s that it was given`)),
      () => undefined,
    );
    const turn = this.#turn.then(async () => {
      over.throwIfAborted();
      return await inspect(session, mode, over);
    });
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await turn;
    } catch (error) {
      session.signal.throwIfAborted();
      log.warn("conductor.inspection-failed", { mode, error });
      return { ...nothingFound, failure: error instanceof Error ? error.message : String(error) };
    } finally {
      time.abort(new Error("the look is over"));
      await alarm;
    }
  }
}

/** Heard again long after, as at a restart: what was to be mended then is nobody's wish now. */
function isStale({ context }: Session, { expireTime }: Inspect): boolean {
  if (expireTime === undefined) return false;
  const { clock, limits } = context;
  return clock.nowMs() > Number(expireTime.seconds) * 1000 + limits.inspectStaleMs;
}
