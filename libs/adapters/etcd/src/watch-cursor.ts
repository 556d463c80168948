/**
 * How far one watch has come: the state that decides where it goes on after a cut. Pure, so that a script of answers
 * can hold it to its promise.
 *
 * Invariant: everything at or below `position` has been delivered. So it moves only with
 * - a whole delivered batch, to the revision of its *last event* (an answer to a watch that catches up carries the
 *   store's revision in its header, long before all up to it was sent);
 * - a progress mark that is known to speak of this watch.
 * The header of "created" moves nothing: between the start that was asked for and that revision lies what is yet to
 * be sent, and a second cut before it arrives would lose it (etcd3's own watch does, docs/decisions/0080-etcd.md).
 */
import type { IEvent } from "etcd3";

export type Batch = { readonly events: readonly IEvent[]; readonly revision: number };

export type WatchCursor = {
  /** Ask a server for what is behind it. */
  readonly position: number;
  /** The server has taken it. `marksOnTheWay`: how many marks may be answers to questions from before. */
  created(revision: number, marksOnTheWay: number): void;
  /** An answer with events. Undefined: a part of one, or nothing new. */
  events(events: readonly IEvent[], isPart: boolean): Batch | undefined;
  /** The server has sent everything up to `revision` to the watches that this mark speaks of. */
  mark(revision: number, ofAll: boolean): void;
  /** Marks of all are not believed yet. */
  readonly isUnsure: boolean;
  /** The stream is gone: what came in part is dropped, and will come again. */
  cut(): void;
};

type Open = { readonly revision: number; marksOnTheWay: number };

export function createCursor(afterRevision: number): WatchCursor {
  let position = afterRevision;
  let parts: IEvent[] = [];
  let open: Open | undefined;

  /**
   * Marks of all watches answer a question, but do not say which, and may overtake "created". One speaks of this watch
   * if it was asked for behind its creation: its revision is above that of the creation, or every question that was
   * then on its way has had its answer.
   */
  const speaksOf = (revision: number, of: Open): boolean => {
    if (revision > of.revision) return true;
    if (of.marksOnTheWay === 0) return true;
    of.marksOnTheWay--;
    return false;
  };

  return {
    get position() {
      return position;
    },
    created(revision, marksOnTheWay) {
      open = { revision, marksOnTheWay };
    },
    events(events, isPart) {
      for (const event of events) if (Number(event.kv.mod_revision) > position) parts.push(event);
      if (isPart || parts.length === 0) return undefined;
      const whole = parts;
      parts = [];
      position = Number(whole.at(-1)?.kv.mod_revision);
      return { events: whole, revision: position };
    },
    mark(revision, ofAll) {
      if (open === undefined || (ofAll && !speaksOf(revision, open))) return;
      // A node that lags behind another says less than is known; nothing goes back.
      position = Math.max(position, revision);
    },
    get isUnsure() {
      return (open?.marksOnTheWay ?? 0) > 0;
    },
    cut() {
      parts = [];
      open = undefined;
    },
  };
}
