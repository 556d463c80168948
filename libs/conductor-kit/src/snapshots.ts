/**
 * Writes the folded bindings now and then, so that a runtime's cold boot reads little of the ledger. Whoever
 * folds the ledger comes to the same; one conductor does it for all.
 *
 * A fold costs what the model holds, so it is made when the ledger behind the last one has grown to as much,
 * and at least so many epochs: a cold boot reads at most twice what it needs, and a commit costs no more in a
 * large model than in a small one.
 */
import type { LedgerEntry } from "@greco/domain/epoch";
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
      const last = await bindingStore.getSnapshot(model, ledger.newest, signal);
      let at = last?.epoch ?? (0 as Epoch);
      let size = last?.bindings.length ?? 0;
      for (;;) {
        await ledger.waitFor((at + limits.snapshotEpochs) as Epoch, signal);
        while (weightOf(ledger.entries(at)) < size)
          await ledger.waitFor((ledger.newest + 1) as Epoch, signal);
        const epoch = ledger.newest;
        const bindings = [...ledger.index.bindingsAt(epoch).values()];
        await bindingStore.putSnapshot({ model, epoch, bindings }, signal);
        at = epoch;
        size = bindings.length;
        log.info("conductor.bindings-folded", { epoch, bindings: size });
      }
    },
    (error) => {
      log.warn("conductor.folding-tries-again", { error });
      return "again";
    },
  );
}

const weightOf = (entries: readonly LedgerEntry[]): number =>
  entries.reduce((sum, entry) => sum + 1 + entry.bindings.length, 0);
