/**
 * Versions as they stand in the store: a chain of change sets, and snapshots so that nobody folds from the first.
 * I3: nothing here is ever rewritten.
 */
import { keys } from "@greco/control-kit";
import {
  applyChanges,
  decodeChange,
  emptyState,
  parseReferences,
  replaceEntities,
  type Change,
  type ChangeSet,
  type EntityState,
  type Kinds,
  type ModelState,
  OrderedMap,
} from "@greco/domain/model";
import type { CpStore } from "@greco/ports";
import { CorruptContentError, readChunked } from "./chunked.ts";
import { fromBytes, readRecord } from "./json.ts";
import type { Chunked, SnapshotRecord, VersionRecord } from "./records.ts";

const VERSIONS_A_READ = 128;

export class History {
  readonly #store: CpStore;
  readonly #readsAtOnce: number;

  constructor(store: CpStore, readsAtOnce: number) {
    this.#store = store;
    this.#readsAtOnce = readsAtOnce;
  }

  async version(model: string, version: number, signal: AbortSignal): Promise<VersionRecord | undefined> {
    return (await readRecord<VersionRecord>(this.#store, keys.version(model, version), signal))?.value;
  }

  /** A sealed change set. */
  async changes(prefix: string, content: Chunked, signal: AbortSignal): Promise<ChangeSet> {
    const lines: (readonly [string, Change])[] = [];
    for await (const line of readChunked(this.#store, prefix, content, signal)) lines.push(decoded(line));
    return OrderedMap.of(lines);
  }

  /** `from` folded up to `version`, change set by change set, some read ahead. */
  async fold(
    model: string,
    from: ModelState,
    version: number,
    kinds: Kinds,
    signal: AbortSignal,
  ): Promise<ModelState> {
    let state = from;
    while (state.version < version) {
      const records = await this.#versionsAfter(model, state.version, version, signal);
      if (records.length === 0)
        throw new CorruptContentError(
          `version ${state.version + 1} of ${model} is missing: restore the store`,
        );
      for (let at = 0; at < records.length; at += this.#readsAtOnce) {
        const some = records.slice(at, at + this.#readsAtOnce);
        const sets = await Promise.all(
          some.map(({ candidate, content }) =>
            this.changes(keys.candidateChunks(model, candidate), content, signal),
          ),
        );
        for (const set of sets) state = applyChanges(state, set.entries(), state.version + 1, kinds);
      }
    }
    return state;
  }

  /** The versions behind `after`, without a gap. */
  async #versionsAfter(
    model: string,
    after: number,
    upTo: number,
    signal: AbortSignal,
  ): Promise<readonly VersionRecord[]> {
    const { entries } = await this.#store.range(
      { prefix: keys.versions(model), after: keys.version(model, after) },
      { limit: Math.min(VERSIONS_A_READ, upTo - after) },
      signal,
    );
    const records = entries.map(({ value }) => fromBytes<VersionRecord>(value));
    const gap = records.findIndex(({ number }, index) => number !== after + 1 + index);
    return gap === -1 ? records : records.slice(0, gap);
  }

  /** The newest snapshot at or below `version`. */
  async snapshotRecord(
    model: string,
    version: number,
    signal: AbortSignal,
  ): Promise<SnapshotRecord | undefined> {
    const { entries } = await this.#store.range(
      { prefix: keys.snapshots(model), after: keys.snapshot(model, version + 1) },
      { limit: 1, descending: true },
      signal,
    );
    return entries[0] === undefined ? undefined : fromBytes<SnapshotRecord>(entries[0].value);
  }

  /** Entities that `like` holds in the same revision are taken from there: two versions share what they can. */
  async snapshot(
    model: string,
    record: SnapshotRecord,
    kinds: Kinds,
    like: ModelState | undefined,
    signal: AbortSignal,
  ): Promise<ModelState> {
    const entities: [string, EntityState][] = [];
    const prefix = keys.snapshotChunks(model, record.version);
    for await (const line of readChunked(this.#store, prefix, record.content, signal))
      entities.push(decodeEntity(line, kinds, like));
    return replaceEntities(emptyState(), entities, record.version);
  }
}

function decoded(line: string): readonly [string, Change] {
  const change = decodeChange(line);
  if (change === undefined) throw new CorruptContentError(`a change set holds the line ${line.slice(0, 80)}`);
  return change;
}

/** `query/late-flights 3 7 {…}` */
export function encodeEntity(key: string, entity: EntityState): string {
  return `${key} ${entity.createdVersion} ${entity.changedVersion} ${entity.specJson}\n`;
}

function decodeEntity(line: string, kinds: Kinds, like: ModelState | undefined): [string, EntityState] {
  const match = /^(\S+) (\d+) (\d+) /.exec(line);
  if (match === null) throw new CorruptContentError(`a snapshot holds the line ${line.slice(0, 80)}`);
  const [head, key = "", created, changed] = match;
  const createdVersion = Number(created);
  const changedVersion = Number(changed);
  const known = like?.entities.get(key);
  if (known?.createdVersion === createdVersion && known.changedVersion === changedVersion)
    return [key, known];
  const specJson = line.slice(head.length);
  return [
    key,
    { specJson, createdVersion, changedVersion, references: parseReferences(kinds, key, specJson) },
  ];
}
