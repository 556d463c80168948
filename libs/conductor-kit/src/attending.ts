/** The author's own work beside the proposals, for as long as this process is the one that acts in the model. */
import { untilDone } from "./backoff.ts";
import type { Attendance } from "./conductor.ts";
import { backoffOf } from "./context.ts";
import { isIntended } from "./journal.ts";
import type { Session } from "./session.ts";

/** Until the signal aborts; what it fails with is waited out. */
export async function attend(session: Session, signal: AbortSignal): Promise<void> {
  const { conductor, log, model } = session.context;
  const { ledger } = session;
  const attendance: Attendance = {
    model,
    ledger,
    // What is released is in the ledger a moment later, if this process does not hear of it before.
    isIntended: (object) => session.journal.head > ledger.newest || isIntended(session.journal, object),
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
