/**
 * Whose units may be taken: those of writers whose lanes are sealed. A writer that shows no sign of life is sealed from
 * here (R2); one that does is left alone. Any number of runtimes watch, and seal, at once.
 */
import type { LeaseView, WriterId } from "@greco/domain/lane";
import { leaseSeen } from "@greco/domain/lane";
import type { SealOptions } from "@greco/lane-kit";
import { sealWriter } from "@greco/lane-kit";
import type { Failpoint } from "./unit-world.ts";

export type WriterWatchOptions = Omit<SealOptions, "failpoint"> & { readonly failpoint?: Failpoint };

type Watched = { view: LeaseView | undefined; sealing: Promise<void> | undefined };

export class WriterWatch {
  readonly #options: WriterWatchOptions;
  readonly #watched = new Map<WriterId, Watched>();
  readonly #sealed = new Set<WriterId>();
  readonly #changed: () => void;

  /** `changed` is called when a writer was found to be sealed. */
  constructor(options: WriterWatchOptions, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
  }

  isSealed(writer: WriterId): boolean {
    return this.#sealed.has(writer);
  }

  /** Looks at these writers' leases; who is not among them is forgotten. */
  async look(writers: ReadonlySet<WriterId>, signal: AbortSignal): Promise<void> {
    const { laneStore, model, clock, leaseMs } = this.#options;
    for (const known of this.#watched.keys()) if (!writers.has(known)) this.#watched.delete(known);
    for (const known of this.#sealed) if (!writers.has(known)) this.#sealed.delete(known);
    for (const writer of writers) {
      if (this.#sealed.has(writer)) continue;
      const watched = this.#watched.get(writer) ?? { view: undefined, sealing: undefined };
      this.#watched.set(writer, watched);
      if (watched.sealing !== undefined) continue;
      const lease = await laneStore.readLease(model, writer, signal);
      const nowMs = clock.monotonicMs();
      watched.view = leaseSeen(watched.view, lease, nowMs);
      // A writer renews several times a lease: one that has not within a whole one is looked at by a sealer, who
      // counts twice the lease himself before he does anything.
      const suspect = watched.view.state !== "held" || nowMs - watched.view.sinceMs >= leaseMs;
      if (suspect) watched.sealing = this.#seal(writer, watched, signal);
    }
  }

  /** Resolves when no sealing is under way; after the signal has aborted. */
  async idle(): Promise<void> {
    const sealing = [...this.#watched.values()].flatMap((watched) => watched.sealing ?? []);
    await Promise.all(sealing);
  }

  async #seal(writer: WriterId, watched: Watched, signal: AbortSignal): Promise<void> {
    const { log, model } = this.#options;
    try {
      const outcome = await sealWriter(this.#options, writer, signal);
      if (outcome === "sealed") {
        this.#sealed.add(writer);
        this.#changed();
      }
    } catch (error) {
      if (!signal.aborted) log.warn("takeover.seal-failed", { model, writer, error });
    } finally {
      watched.view = undefined;
      watched.sealing = undefined;
    }
  }
}
