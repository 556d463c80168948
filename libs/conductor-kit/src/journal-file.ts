/**
 * The journal as it stands in the binding store: numbered records, compared with the incarnation at each
 * write, read and folded at the start, compacted when it grew long. Each record also says up to where the
 * control log had been heard, so that a restart reads on from there.
 */
import type { ConductorId, ModelId } from "@greco/domain/model";
import type { BindingStore, JournalRecord } from "@greco/ports";
import {
  emptyJournal,
  fold,
  fromSummary,
  summarize,
  type JournalEntry,
  type JournalState,
  type JournalSummary,
} from "./journal.ts";

const PAGE = 500;

/** `v` is the format: an older conductor must not guess at a newer one's records. */
type Stored = { readonly v: 1; readonly position: number } & (
  { readonly entry: JournalEntry } | { readonly summary: JournalSummary }
);

export type JournalFileOptions = {
  readonly bindingStore: BindingStore;
  readonly model: ModelId;
  readonly conductor: ConductorId;
  readonly incarnation: number;
  /** Records and characters behind the summary before the next one is written. */
  readonly compactAfter: number;
  readonly compactAfterChars: number;
};

export class JournalFile {
  readonly #options: JournalFileOptions;
  #sequence = 0;
  #summaryAt = 0;
  #charsBehind = 0;
  #state: JournalState = emptyJournal;
  /** Of the control log: everything before it was heard. */
  #position = 0;

  private constructor(options: JournalFileOptions) {
    this.#options = options;
  }

  static async open(options: JournalFileOptions, signal: AbortSignal): Promise<JournalFile> {
    const file = new JournalFile(options);
    const { bindingStore, model, conductor } = options;
    for (;;) {
      const page = await bindingStore.readJournal(model, conductor, file.#sequence, PAGE, signal);
      for (const record of page) file.#take(record);
      if (page.length < PAGE) return file;
    }
  }

  get state(): JournalState {
    return this.#state;
  }

  get position(): number {
    return this.#position;
  }

  /** Durable when it resolves. `FencedError`: another incarnation has taken over. */
  async append(entries: readonly JournalEntry[], position: number, signal: AbortSignal): Promise<void> {
    const { bindingStore, model, conductor, incarnation } = this.#options;
    const records = entries.map((entry, index): JournalRecord => {
      const stored: Stored = { v: 1, position, entry };
      return { sequence: this.#sequence + 1 + index, json: JSON.stringify(stored) };
    });
    await bindingStore.appendJournal(model, conductor, incarnation, records, signal);
    for (const record of records) this.#take(record);
    const { compactAfter, compactAfterChars } = this.#options;
    const long = this.#sequence - this.#summaryAt >= compactAfter || this.#charsBehind >= compactAfterChars;
    if (long) await this.#compact(signal);
  }

  #take(record: JournalRecord): void {
    const stored = JSON.parse(record.json) as Stored;
    if (stored.v !== 1)
      throw new Error(
        `journal of ${this.#options.conductor}: record ${record.sequence} is of a newer format; run the newer version`,
      );
    if ("summary" in stored) {
      this.#state = fromSummary(stored.summary);
      this.#summaryAt = record.sequence;
      this.#charsBehind = 0;
    } else {
      this.#state = fold(this.#state, stored.entry);
      this.#charsBehind += record.json.length;
    }
    this.#sequence = record.sequence;
    this.#position = Math.max(this.#position, stored.position);
  }

  async #compact(signal: AbortSignal): Promise<void> {
    const { bindingStore, model, conductor, incarnation } = this.#options;
    const stored: Stored = { v: 1, position: this.#position, summary: summarize(this.#state) };
    const record = { sequence: this.#sequence, json: JSON.stringify(stored) };
    await bindingStore.compactJournal(model, conductor, incarnation, this.#sequence, record, signal);
    this.#take(record);
  }
}
