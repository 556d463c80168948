/**
 * Writes the folded bindings every so many epochs, so that a runtime's cold boot reads few ledger entries.
 * Whoever folds the ledger comes to the same; one conductor does it for all.
 */
import type { Epoch } from "@greco/domain/model";
import { untilDone } from "./backoff.ts";
import { backoffOf } from "./context.ts";
import type { Session } from "./session.ts";

/** Until the signal aborts. */
export async function writeSnapshots(session: Session, signal: AbortSignal): Promise<void> {
  const { bindingStore, limits, log, model } = session.context;
  const { ledger } = session;
  await untilDone(
    backoffOf(session.context),
    signal,
    async () => {
      const newest = await bindingStore.getSnapshot(model, ledger.newest, signal);
      let at = newest?.epoch ?? 0;
      for (;;) {
        await ledger.waitFor((at + limits.snapshotEpochs) as Epoch, signal);
        const epoch = ledger.newest;
        const bindings = [...ledger.index.bindingsAt(epoch).values()];
        await bindingStore.putSnapshot({ model, epoch, bindings }, signal);
        at = epoch;
        log.info("conductor.bindings-folded", { epoch, bindings: bindings.length });
      }
    },
    (error) => {
      log.warn("conductor.folding-tries-again", { error });
      return "again";
    },
  );
}
