/**
 * Snapshots of models in the store, so that a boot folds what changed since the last one and not the whole history.
 * Written beside the commits, by whoever promoted; one that is missing costs time, never truth.
 */
import { keys } from "@greco/control-kit";
import type { ModelState } from "@greco/domain/model";
import type { Clock, CpStore, Ids, Log } from "@greco/ports";
import type { RegistryLimits } from "../limits.ts";
import { OvertakenError, writeChunked } from "./chunked.ts";
import { encodeEntity, type History } from "./history.ts";
import { fromBytes, put } from "./json.ts";
import type { SnapshotRecord } from "./records.ts";

type Dependencies = {
  readonly store: CpStore;
  readonly history: History;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: RegistryLimits;
};

type Last = Pick<SnapshotRecord, "version" | "totalChanges">;

const NONE: Last = { version: 0, totalChanges: 0 };
/** Between two transactions: commits of others go first. */
const PAUSE_MS = 5;

export class Snapshots {
  readonly #dependencies: Dependencies;
  readonly #running: AbortSignal;
  readonly #last = new Map<string, Last>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(dependencies: Dependencies, running: AbortSignal) {
    this.#dependencies = dependencies;
    this.#running = running;
  }

  /** A version was promoted here: writes a snapshot of it if one is due. Returns at once. */
  consider(model: string, state: ModelState, totalChanges: number): void {
    const last = this.#last.get(model);
    if (this.#writing.has(model) || (last !== undefined && !this.#isDue(last, state, totalChanges))) return;
    const writing = this.#write(model, state, totalChanges)
      .catch((error: unknown) => {
        if (!this.#running.aborted)
          this.#dependencies.log.warn("registry.snapshot", { model, version: state.version, error });
      })
      .finally(() => this.#writing.delete(model));
    this.#writing.set(model, writing);
  }

  /** Resolves when no snapshot is being written. */
  async idle(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  #isDue(last: Last, state: ModelState, totalChanges: number): boolean {
    const { snapshotChangesMin, snapshotVersions } = this.#dependencies.limits;
    const changes = totalChanges - last.totalChanges;
    return (
      changes >= Math.max(snapshotChangesMin, state.entities.size / 2) ||
      state.version - last.version >= snapshotVersions
    );
  }

  async #write(model: string, state: ModelState, totalChanges: number): Promise<void> {
    const { store, history, ids, clock, limits, log } = this.#dependencies;
    const signal = this.#running;
    const last = (await history.snapshotRecord(model, state.version, signal)) ?? NONE;
    this.#last.set(model, last);
    if (last.version === state.version || !this.#isDue(last, state, totalChanges)) return;
    const set = {
      prefix: keys.snapshotChunks(model, state.version),
      attempt: ids.next(),
      lines: linesOf(state),
    };
    const key = keys.snapshot(model, state.version);
    const absent = [{ key, target: "createRevision", is: "=", value: 0 } as const];
    try {
      await writeChunked(
        store,
        {
          sets: [set],
          chunkBytes: limits.chunkBytes,
          open: () => Promise.resolve(absent),
          between: () => clock.sleep(PAUSE_MS, signal),
          seal: ([content]) => {
            const { version } = state;
            return {
              compare: absent,
              then: [put(key, { version, totalChanges, entities: state.entities.size, content })],
            };
          },
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof OvertakenError)) throw error;
    }
    this.#last.set(model, { version: state.version, totalChanges });
    log.info("registry.snapshot", { model, version: state.version, entities: state.entities.size });
    await this.#prune(model);
  }

  /** Older ones would be read only for very old versions, which are folded from further back then. */
  async #prune(model: string): Promise<void> {
    const { store, limits } = this.#dependencies;
    const range = { prefix: keys.snapshots(model) };
    const { entries } = await store.range(range, { descending: true }, this.#running);
    for (const { key, value } of entries.slice(limits.snapshotsKept)) {
      const { version } = fromBytes<SnapshotRecord>(value);
      const then = [
        { type: "delete", range: { key } },
        { type: "delete", range: { prefix: keys.snapshotChunks(model, version) } },
      ] as const;
      await store.transact({ compare: [], then }, this.#running);
    }
  }
}

function* linesOf({ entities }: ModelState): Generator<string, void, undefined> {
  for (const [key, entity] of entities.entries()) yield encodeEntity(key, entity);
}
