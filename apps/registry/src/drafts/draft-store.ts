/**
 * Drafts in the store and in memory (DESIGN §3, I4): nothing here asks a conductor, the data plane or another user.
 *
 * Each change of the content is one compare-and-swap of the draft's record; whoever comes second has changed
 * nothing. Chunks of a write that died are no part of the draft, and go with it.
 */
import { keys } from "@greco/control-kit";
import { OrderedMap, type ChangeSet } from "@greco/domain/model";
import type { Compare, CpStore, Ids, Operation } from "@greco/ports";
import type { Directory } from "../cache/directory.ts";
import { Lru } from "../cache/lru.ts";
import type { States } from "../cache/states.ts";
import type { RegistryLimits } from "../limits.ts";
import {
  chunksPrefix,
  CorruptContentError,
  OvertakenError,
  readChunked,
  writeChunked,
} from "../store/chunked.ts";
import { fromBytes, put, readRecord, type Stored } from "../store/json.ts";
import type { Chunked, DraftRecord } from "../store/records.ts";
import { contentOf, edited, type DraftContent, type EditLine } from "./content.ts";
import {
  contentPrefix,
  decodeEdit,
  decodeEntry,
  decodeLines,
  editPrefix,
  encodeChanges,
  encodeEdit,
  encodeEntry,
  logKey,
  logPrefix,
} from "./log.ts";

export type DraftWrite = {
  readonly model: string;
  readonly before: Stored<DraftRecord>;
  readonly after: DraftRecord;
  readonly content: DraftContent;
  /** More for the deciding transaction. */
  readonly compare?: readonly Compare[];
  readonly then: readonly Operation[];
};

const ENTRIES_A_READ = 64;

export class DraftStore {
  readonly #store: CpStore;
  readonly #ids: Ids;
  readonly #directory: Directory;
  readonly #states: States;
  readonly #limits: RegistryLimits;
  readonly #contents: Lru<DraftContent>;

  constructor(store: CpStore, ids: Ids, directory: Directory, states: States, limits: RegistryLimits) {
    this.#store = store;
    this.#ids = ids;
    this.#directory = directory;
    this.#states = states;
    this.#limits = limits;
    this.#contents = new Lru<DraftContent>(limits.draftsCachedChanges, ({ changes }) => changes.size + 16);
  }

  /** Linearizable. */
  record(model: string, draft: string, signal: AbortSignal): Promise<Stored<DraftRecord> | undefined> {
    return readRecord<DraftRecord>(this.#store, keys.draft(model, draft), signal);
  }

  async list(
    model: string,
    after: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<{ readonly records: readonly DraftRecord[]; readonly more: boolean }> {
    const prefix = keys.drafts(model);
    const range = after === undefined ? { prefix } : { prefix, after: keys.draft(model, after) };
    const { entries, more } = await this.#store.range(range, { limit }, signal);
    return { records: entries.map(({ value }) => fromBytes<DraftRecord>(value)), more };
  }

  /** Record and content, linearizable. */
  async load(
    model: string,
    draft: string,
    signal: AbortSignal,
  ): Promise<{ readonly record: Stored<DraftRecord>; readonly content: DraftContent } | undefined> {
    for (let attempt = 1; ; attempt++) {
      const record = await this.record(model, draft, signal);
      if (record === undefined) return undefined;
      try {
        return { record, content: await this.content(model, record.value, signal) };
      } catch (error) {
        const folded = error instanceof OvertakenError || error instanceof CorruptContentError;
        // Folded by somebody else while it was read: what the record says now is there.
        if (!folded || attempt === this.#limits.attemptsMax) throw error;
        const again = await this.record(model, draft, signal);
        if (again?.revision === record.revision) throw error;
      }
    }
  }

  /** The content that `record` stands for; reads only what is not in memory. */
  async content(model: string, record: DraftRecord, signal: AbortSignal): Promise<DraftContent> {
    const kinds = this.#directory.kinds(model);
    const name = keys.draft(model, record.id);
    const known = this.#contents.get(name);
    const usable =
      known?.incarnation === record.incarnation &&
      known.base.version === record.baseVersion &&
      known.generation <= record.generation &&
      known.generation >= record.folded.generation;
    let content = usable ? known : await this.#folded(model, record, signal);
    if (content.kinds !== kinds) content = contentOf(content.base, content.changes, kinds, content);
    if (content.generation < record.generation)
      content = await this.#replayed(model, record, content, signal);
    this.#contents.set(name, content);
    return content;
  }

  async #folded(model: string, record: DraftRecord, signal: AbortSignal): Promise<DraftContent> {
    const base = await this.#states.at(model, record.baseVersion, signal);
    const { generation, content } = record.folded;
    let changes: ChangeSet = OrderedMap.empty();
    if (content !== undefined) {
      const prefix = contentPrefix(model, record.id, record.incarnation);
      const lines: EditLine[] = [];
      for await (const line of readChunked(this.#store, prefix, content, signal))
        lines.push(decodeEdit(line));
      changes = OrderedMap.of(
        lines.flatMap(([key, edit]) => (edit.action === "revert" ? [] : [[key, edit]])),
      );
    }
    const at = { incarnation: record.incarnation, generation };
    return contentOf(base, changes, this.#directory.kinds(model), at);
  }

  async #replayed(
    model: string,
    record: DraftRecord,
    from: DraftContent,
    signal: AbortSignal,
  ): Promise<DraftContent> {
    const { id, incarnation } = record;
    let content = from;
    while (content.generation < record.generation) {
      const { entries } = await this.#store.range(
        {
          prefix: logPrefix(model, id, incarnation),
          after: logKey(model, id, incarnation, content.generation),
        },
        { limit: Math.min(ENTRIES_A_READ, record.generation - content.generation) },
        signal,
      );
      if (entries.length === 0) throw new OvertakenError(`the draft ${id} was changed while it was read`);
      for (const { value } of entries) {
        const entry = decodeEntry(value);
        const lines =
          "lines" in entry
            ? decodeLines(entry.lines)
            : await this.#linesOf(model, record, entry.content, signal);
        content = edited(content, lines, content.generation + 1);
      }
    }
    return content;
  }

  async #linesOf(
    model: string,
    { id, incarnation }: DraftRecord,
    chunked: Chunked,
    signal: AbortSignal,
  ): Promise<readonly EditLine[]> {
    const lines: EditLine[] = [];
    const prefix = editPrefix(model, id, incarnation);
    for await (const line of readChunked(this.#store, prefix, chunked, signal)) lines.push(decodeEdit(line));
    return lines;
  }

  /** Writes an edit as an entry of the log, or, now and then, the whole content. False: overtaken, nothing changed. */
  async writeEdit(write: DraftWrite, edits: readonly EditLine[], signal: AbortSignal): Promise<boolean> {
    const { model, before, after } = write;
    const logged = after.generation - after.folded.generation;
    // Folding costs the draft's size, once in at least as many edits.
    if (logged > Math.max(this.#limits.draftLogMin, after.changeCount))
      return await this.writeWhole(write, signal);
    const lines = edits.map(([key, edit]) => encodeEdit(key, edit));
    const length = lines.reduce((sum, line) => sum + line.length, 0);
    const entryKey = logKey(model, after.id, after.incarnation, after.generation);
    const guard = [unchanged(model, before)];
    const decide = (value: Uint8Array) => ({
      compare: [...guard, ...(write.compare ?? [])],
      then: [
        put(keys.draft(model, after.id), after),
        { type: "put", key: entryKey, value } as const,
        ...write.then,
      ],
    });
    if (length <= this.#limits.inlineBytes) {
      const value = encodeEntry({ lines: lines.join("") });
      return this.#remember(write, (await this.#store.transact(decide(value), signal)).succeeded);
    }
    const prefix = editPrefix(model, after.id, after.incarnation);
    const set = { prefix, attempt: this.#ids.next(), lines };
    return await this.#chunked(write, () =>
      writeChunked(
        this.#store,
        {
          sets: [set],
          chunkBytes: this.#limits.chunkBytes,
          open: () => Promise.resolve(guard),
          seal: ([content]) => decide(encodeEntry({ content: content as Chunked })),
        },
        signal,
      ),
    );
  }

  /** Writes the whole content in the place of the log. False: overtaken, nothing changed. */
  async writeWhole(write: DraftWrite, signal: AbortSignal): Promise<boolean> {
    const { model, before, after } = write;
    const prefix = contentPrefix(model, after.id, after.incarnation);
    const guard = [unchanged(model, before)];
    const set = { prefix, attempt: this.#ids.next(), lines: encodeChanges(write.content.changes) };
    return await this.#chunked(write, () =>
      writeChunked(
        this.#store,
        {
          sets: [set],
          chunkBytes: this.#limits.chunkBytes,
          open: () => Promise.resolve(guard),
          seal: ([content]) => {
            const folded = { generation: after.generation, content: content as Chunked };
            const record: DraftRecord = { ...after, folded };
            return {
              compare: [...guard, ...(write.compare ?? [])],
              then: [put(keys.draft(model, after.id), record), ...forget(model, before.value), ...write.then],
            };
          },
        },
        signal,
      ),
    );
  }

  async #chunked(write: DraftWrite, run: () => Promise<{ readonly succeeded: boolean }>): Promise<boolean> {
    try {
      return this.#remember(write, (await run()).succeeded);
    } catch (error) {
      if (error instanceof OvertakenError) return false;
      throw error;
    }
  }

  #remember({ model, after, content }: DraftWrite, succeeded: boolean): boolean {
    if (succeeded) this.#contents.set(keys.draft(model, after.id), content);
    return succeeded;
  }

  /** All that a draft has in the store. */
  removal(model: string, draft: string): readonly Operation[] {
    this.#contents.delete(keys.draft(model, draft));
    return [
      { type: "delete", range: { key: keys.draft(model, draft) } },
      { type: "delete", range: { prefix: keys.draftChunks(model, draft) } },
    ];
  }
}

export function unchanged(model: string, draft: Stored<DraftRecord>): Compare {
  const key = keys.draft(model, draft.value.id);
  return { key, target: "modRevision", is: "=", value: draft.revision };
}

/** What a folded content takes the place of: the log, and the content folded before. */
function forget(model: string, { id, incarnation, folded }: DraftRecord): readonly Operation[] {
  const prefixes = [logPrefix(model, id, incarnation), editPrefix(model, id, incarnation)];
  if (folded.content !== undefined)
    prefixes.push(chunksPrefix(contentPrefix(model, id, incarnation), folded.content.attempt));
  return prefixes.map((prefix) => ({ type: "delete", range: { prefix } }));
}
