/** The author's own work beside the proposals, for as long as a session is. */
import { untilDone } from "./backoff.ts";
import type { Attendance } from "./conductor.ts";
import { backoffOf } from "./context.ts";
import { isIntended } from "./journal.ts";
import type { Session } from "./session.ts";

/** Until the signal aborts; what it fails with is waited out. */
export async function attend(session: Session, signal: AbortSignal): Promise<void> {
  const { bindingStore, conductor, id, log, model } = session.context;
  const { ledger, lease } = session;
  const attendance: Attendance = {
    model,
    ledger,
    // What is released is in the ledger a moment later, if this process does not hear of it before.
    isIntended: (object) => session.journal.head > ledger.newest || isIntended(session.journal, object),
    acts: async (over) =>
      (await bindingStore.readConductor(model, id, over))?.incarnation === lease.incarnation,
  };
  await untilDone(
    backoffOf(session.context),
    signal,
    async () => {
      await conductor.attend?.(attendance, signal);
      throw new Error("it ended by itself");
    },
    (error) => {
      log.warn("conductor.attends-again", { error });
      return "again";
    },
  );
}
