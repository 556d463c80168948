/**
 * What the ledger and the bindings say about queries: which streams each reads at which epochs, and what it has to do
 * there. Everything follows from stored data alone, so that every runtime comes to the same answer (I6).
 *
 * I12. What is not at hand is an error that says what is missing, never an older answer; who asked holds, and asks
 *      again.
 */
import type { BindingRef, EpochIndex, QueryContent, ReadRange, StreamContent } from "@greco/domain/epoch";
import { programAt, readRanges } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { entityKey, hashOf } from "@greco/domain/model";
import type { BindingReader, LedgerFollower } from "@greco/lane-kit";
import { BindingMissingError } from "@greco/lane-kit";
import type { Program } from "@greco/ports";
import type { DutyAt } from "./duty.ts";

/** What a query's binding says about where it reads and writes. */
export type QueryReads = Pick<QueryContent, "from" | "tables" | "onError"> & {
  /** Absent: it acts on the outside only. */
  readonly to?: string;
};

export type CatalogOptions = {
  readonly ledger: LedgerFollower;
  readonly bindings: BindingReader;
  /** Kinds whose entities read streams. */
  readonly kinds: readonly string[];
  /** Throws where the content is not one. */
  readonly reads: (content: string) => QueryReads;
  /** Told of a binding that is missing, each time that it is looked for in vain. */
  readonly missed?: (binding: BindingRef) => void;
  /** Ends what is asked of the stores; duties are shared, so they do not end with who asked first. */
  readonly signal: AbortSignal;
};

/** A position waits for something; `reason` is for people and machines: `BINDING_MISSING`. */
export class HoldError extends Error {
  override name = "HoldError";
  readonly reason: string;
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Duties remembered: epochs that units of all lanes ask for at about the same time. Each may hold tables of 1 MiB. */
const DUTIES_KEPT = 64;

export class QueryCatalog {
  readonly #options: CatalogOptions;
  readonly #duties = new Map<string, Promise<DutyAt>>();
  /** Those that somebody still holds: an epoch that changes nothing for a query costs no second copy of its tables. */
  readonly #programs = new Map<string, WeakRef<Program>>();
  readonly #ranges = new Map<EntityIdentity, readonly ReadRange[]>();
  readonly #unresolved = new Set<EntityIdentity>();
  #floor = 0;
  /** What `#ranges` were made of. */
  #newest = 0;

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** What `query` does with messages of `epoch` in `stream`. Throws what makes its lane hold. */
  async dutyAt(query: EntityIdentity, stream: EntityIdentity, epoch: Epoch): Promise<DutyAt> {
    const key = `${query} ${stream} ${epoch}`;
    const known = this.#duties.get(key);
    if (known !== undefined) return known;
    const duty = this.#resolve(query, stream, epoch);
    this.#duties.set(key, duty);
    const [oldest] = this.#duties.keys();
    if (this.#duties.size > DUTIES_KEPT && oldest !== undefined) this.#duties.delete(oldest);
    try {
      return await duty;
    } catch (error) {
      this.#duties.delete(key);
      if (error instanceof BindingMissingError) this.#options.missed?.(error.binding);
      throw error;
    }
  }

  /**
   * Reads what the ledger has brought since the last time. What cannot be had is tried again at the next; below the
   * floor it has been retired (R9), and no lane needs it any more.
   */
  async refresh(floor: Epoch): Promise<void> {
    const { signal } = this.#options;
    this.#floor = floor;
    const { index, newest } = this.#options.ledger;
    const folded = this.#newest < index.base ? [...index.bindingsAt(index.base).keys()] : [];
    const entries = index.entries(this.#newest as Epoch);
    const changed = [...folded, ...entries.flatMap(({ bindings }) => bindings.map(({ entity }) => entity))];
    const streams = new Set(changed.filter((each) => each.startsWith("stream/")));
    const queries = new Set([...this.#unresolved, ...changed].filter(this.#isRead));
    // A stream made again is another one: whoever names it reads another.
    if (streams.size > 0)
      for (const query of this.#ranges.keys()) if (this.#names(query, streams)) queries.add(query);
    for (const query of queries) {
      try {
        this.#ranges.set(query, await this.#rangesOf(query));
        this.#unresolved.delete(query);
      } catch (error) {
        signal.throwIfAborted();
        if (!isHold(error)) throw error;
        if (error instanceof BindingMissingError) this.#options.missed?.(error.binding);
        this.#unresolved.add(query);
      }
    }
    this.#newest = newest;
  }

  /** The ledger's epoch that `ranges` know of. */
  get current(): Epoch {
    return this.#newest as Epoch;
  }
  /** Queries of which it is not known what they read: no lane may be taken for finished. */
  get unresolved(): readonly EntityIdentity[] {
    return [...this.#unresolved];
  }
  ranges(): readonly ReadRange[] {
    return [...this.#ranges.values()].flat();
  }
  rangesOf(query: EntityIdentity, stream: EntityIdentity): readonly ReadRange[] {
    return (this.#ranges.get(query) ?? []).filter((range) => range.stream === stream);
  }

  readonly #isRead = (entity: EntityIdentity): boolean =>
    this.#options.kinds.some((kind) => entity.startsWith(`${kind}/`));

  #names(query: EntityIdentity, streams: ReadonlySet<EntityIdentity>): boolean {
    const names = new Set([...streams].map((stream) => stream.slice(0, stream.lastIndexOf("@"))));
    return (this.#ranges.get(query) ?? []).some(({ stream }) =>
      names.has(stream.slice(0, stream.lastIndexOf("@"))),
    );
  }

  async #resolve(query: EntityIdentity, stream: EntityIdentity, epoch: Epoch): Promise<DutyAt> {
    const { index } = this.#options.ledger;
    const binding = index.bindingAt(epoch, query);
    if (binding === undefined) return (index.changesOf(query)[0] ?? epoch + 1) <= epoch ? "over" : "idle";
    const reads = await this.#reads(binding);
    if (streamAt(index, epoch, reads.from) !== stream) return "idle";
    const program = await this.#program(index, epoch, query, reads.tables);
    if (reads.to === undefined) return { program, onError: reads.onError };
    const to = streamAt(index, epoch, reads.to);
    const toBinding = to === undefined ? undefined : index.bindingAt(epoch, to);
    if (to === undefined || toBinding === undefined)
      throw new HoldError(
        "STREAM_MISSING",
        `${query} writes to stream ${reads.to}, unknown at epoch ${epoch}`,
      );
    const content = await this.#content(toBinding);
    const { retentionMs } = parse<StreamContent>(toBinding, content);
    return {
      program,
      onError: reads.onError,
      to: { stream: to, ...(retentionMs === undefined ? {} : { retentionMs }) },
    };
  }

  async #program(
    index: EpochIndex,
    epoch: Epoch,
    query: EntityIdentity,
    names: readonly string[],
  ): Promise<Program> {
    const bindings = programAt(index, epoch, query, names);
    if (bindings === undefined || "missing" in bindings)
      throw new HoldError("TABLE_MISSING", `${query} uses ${bindings?.missing}, unknown at epoch ${epoch}`);
    const id = hashOf(bindings.hashes);
    const known = this.#programs.get(id)?.deref();
    if (known !== undefined) return known;
    const tables: Record<string, string> = {};
    for (const [name, table] of Object.entries(bindings.tables)) tables[name] = await this.#content(table);
    const program = { id, query: await this.#content(bindings.query), tables };
    for (const [each, held] of this.#programs) if (held.deref() === undefined) this.#programs.delete(each);
    this.#programs.set(id, new WeakRef(program));
    return program;
  }

  #content(binding: BindingRef): Promise<string> {
    return this.#options.bindings.content(binding, this.#options.signal);
  }

  async #reads(binding: BindingRef): Promise<QueryReads> {
    const content = await this.#content(binding);
    try {
      return this.#options.reads(content);
    } catch (cause) {
      const why = `the binding of ${binding.entity} (hash ${binding.hash}) is not a query's: ${String(cause)}`;
      throw new HoldError("BINDING_UNREADABLE", why, { cause });
    }
  }

  async #rangesOf(query: EntityIdentity): Promise<readonly ReadRange[]> {
    const { index } = this.#options.ledger;
    const from = new Map<Epoch, string>();
    const changes = index.changesOf(query);
    for (const [at, epoch] of changes.entries()) {
      const binding = index.bindingAt(epoch, query);
      if (binding === undefined) continue;
      const isRetired = (changes[at + 1] ?? Number.POSITIVE_INFINITY) <= this.#floor;
      const read = await this.#reads(binding).catch((error: unknown) => {
        if (!isRetired || !isHold(error)) throw error;
      });
      if (read !== undefined) from.set(epoch, read.from);
    }
    return readRanges(index, query, from);
  }
}

function streamAt(index: EpochIndex, epoch: Epoch, name: string): EntityIdentity | undefined {
  return index.identityAt(epoch, entityKey("stream", name));
}

/** Whether an error means: hold, and ask again. */
export function isHold(error: unknown): error is Error {
  return error instanceof HoldError || error instanceof BindingMissingError;
}

/** `BINDING_MISSING: …` */
export function holdText(error: Error): string {
  const reason = error instanceof HoldError ? error.reason : "BINDING_MISSING";
  return `${reason}: ${error.message}`;
}

/** The default for `reads`: contents of the built-in kind `query`. */
export function readsOfQuery(content: string): QueryReads {
  const { from, to, tables, onError } = JSON.parse(content) as Partial<QueryContent>;
  if (typeof from !== "string" || !Array.isArray(tables) || typeof onError?.retries !== "number")
    throw new TypeError("`from`, `tables` and `onError` are missing");
  return { from, tables, onError, ...(typeof to === "string" ? { to } : {}) };
}

function parse<T>(binding: BindingRef, content: string): T {
  try {
    return JSON.parse(content) as T;
  } catch (cause) {
    throw new HoldError("BINDING_UNREADABLE", `the binding of ${binding.entity} is not JSON`, { cause });
  }
}
