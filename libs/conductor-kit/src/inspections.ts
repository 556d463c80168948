/**
 * Looks outside: those that were asked for, and one now and then for the metric; one at a time, each within its time.
 * A repeat of one that is under way, or waits, adds nothing; of one that has ended it gets the first answer, for as
 * long as that is kept.
 */
import type { Inspect } from "@greco/contracts/greco/conductor/v1/conductor";
import { inspect, nothingFound, type Found, type Mode } from "./inspecting.ts";
import type { Session } from "./session.ts";
import { toMode, toMs } from "./wire.ts";

/** Of one look; the rest is counted. */
const LOGGED = 10;

export class Inspections {
  /** Undefined: not answered yet. The oldest first. */
  readonly #answers = new Map<string, Found | undefined>();
  #turn: Promise<void> = Promise.resolve();
  #differences: number | undefined;

  /** As the last look that came to its end has it; undefined: there was none. */
  get differences(): number | undefined {
    return this.#differences;
  }

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
      const mode = toMode(request.mode);
      const givenMs = toMs(request.remaining) ?? limits.inspectMs;
      const found =
        mode === undefined
          ? { ...nothingFound, supported: false }
          : await this.#inTurn(session, mode, givenMs);
      this.#keep(commandId, found, limits.inspectionsMax);
      session.tell(commandId, found);
    });
  }

  #keep(commandId: string, found: Found, max: number): void {
    this.#answers.set(commandId, found);
    const ended = [...this.#answers].filter(([, each]) => each !== undefined);
    for (const [oldest] of ended.slice(0, Math.max(0, ended.length - max))) this.#answers.delete(oldest);
  }

  /** Until the signal aborts. What differs is shown before somebody asks. */
  async watch(session: Session, signal: AbortSignal): Promise<never> {
    const { clock, ids, limits, log } = session.context;
    for (;;) {
      // Conductors that started together do not look together: a cloud counts the calls of all.
      await clock.sleep(limits.driftEveryMs * (0.5 + ids.random()), signal);
      const { drifts } = await this.#inTurn(session, "drift", limits.inspectMs);
      for (const { entity, object, reason, message } of drifts.slice(0, LOGGED))
        log.warn("conductor.drift", { entity, object, reason, message, of: drifts.length });
    }
  }

  /** Its time runs while it waits: whoever has asked does not wait longer for that. */
  async #inTurn(session: Session, mode: Mode, givenMs: number): Promise<Found> {
    const { clock, log } = session.context;
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
      const found = await turn;
      if (mode !== "access" && found.supported)
        this.#differences = found.drifts.filter(({ mended }) => mended !== true).length;
      return found;
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
