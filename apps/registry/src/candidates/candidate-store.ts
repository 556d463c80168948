/** Candidates in the store and in memory: what was frozen, and what it touches. Immutable once sealed. */
import { keys } from "@greco/control-kit";
import { applyChanges, type ChangeSet, type Kinds, type ModelState } from "@greco/domain/model";
import type { CpStore } from "@greco/ports";
import { fault, type Fault } from "@greco/service-kit";
import { Lru } from "../cache/lru.ts";
import type { Directory } from "../cache/directory.ts";
import type { States } from "../cache/states.ts";
import type { RegistryLimits } from "../limits.ts";
import { readChunked } from "../store/chunked.ts";
import type { History } from "../store/history.ts";
import { readRecord, type Stored } from "../store/json.ts";
import type { CandidateRecord, Sealed } from "../store/records.ts";
import { decodeExtent, type Extent } from "./extent.ts";

export type CandidateContent = {
  readonly changes: ChangeSet;
  readonly extent: Extent;
  /** The version that it would be; undefined until somebody asks for it. */
  readonly state: { readonly state: ModelState; readonly kinds: Kinds } | undefined;
};

/** A record whose chunks are there to be read. */
export type SealedRecord = CandidateRecord & Sealed;

export class CandidateStore {
  readonly #store: CpStore;
  readonly #directory: Directory;
  readonly #states: States;
  readonly #history: History;
  readonly #contents: Lru<CandidateContent>;

  constructor(
    store: CpStore,
    directory: Directory,
    states: States,
    history: History,
    limits: Pick<RegistryLimits, "candidatesCachedChanges">,
  ) {
    this.#store = store;
    this.#directory = directory;
    this.#states = states;
    this.#history = history;
    this.#contents = new Lru<CandidateContent>(
      limits.candidatesCachedChanges,
      ({ changes, extent }) => changes.size + extent.affected.length + extent.scope.length + 16,
    );
  }

  /** Linearizable. */
  record(
    model: string,
    candidate: string,
    signal: AbortSignal,
  ): Promise<Stored<CandidateRecord> | undefined> {
    return readRecord<CandidateRecord>(this.#store, keys.candidate(model, candidate), signal);
  }

  /** A sealed candidate, or the error that says why there is none to read. */
  async sealed(model: string, candidate: string, signal: AbortSignal): Promise<SealedRecord> {
    const found = await this.record(model, candidate, signal);
    if (found === undefined) throw noCandidate(model, candidate);
    const record = found.value;
    if (record.state === "unsealed") throw notSealed(model, candidate);
    if (record.state === "discarded" && (record.collected || record.content === undefined))
      throw fault.notFound(
        "CANDIDATE_COLLECTED",
        `models/${model}/candidates/${candidate}`,
        `candidate ${candidate} was discarded and its changes are gone: freeze the draft again`,
      );
    return record as SealedRecord;
  }

  async content(model: string, record: SealedRecord, signal: AbortSignal): Promise<CandidateContent> {
    const name = keys.candidate(model, record.id);
    const known = this.#contents.get(name);
    if (known !== undefined) return known;
    const prefix = keys.candidateChunks(model, record.id);
    const [changes, extent] = await Promise.all([
      this.#history.changes(prefix, record.content, signal),
      decodeExtent(readChunked(this.#store, prefix, record.extent, signal)),
    ]);
    const content = { changes, extent, state: undefined };
    this.#contents.set(name, content);
    return content;
  }

  /** The model as the candidate would make it. */
  async state(model: string, record: SealedRecord, signal: AbortSignal): Promise<ModelState> {
    const content = await this.content(model, record, signal);
    const kinds = this.#directory.kinds(model);
    if (content.state?.kinds === kinds) return content.state.state;
    const base = await this.#states.at(model, record.baseVersion, signal);
    const state = applyChanges(base, content.changes.entries(), base.version + 1, kinds);
    this.remember(model, record.id, { ...content, state: { state, kinds } });
    return state;
  }

  remember(model: string, candidate: string, content: CandidateContent): void {
    this.#contents.set(keys.candidate(model, candidate), content);
  }

  /** What is in memory of it. */
  known(model: string, candidate: string): CandidateContent | undefined {
    return this.#contents.get(keys.candidate(model, candidate));
  }
}

export function noCandidate(model: string, candidate: string): Fault {
  return fault.notFound(
    "CANDIDATE_NOT_FOUND",
    `models/${model}/candidates/${candidate}`,
    `${model} has no candidate ${candidate}: freeze a draft first`,
  );
}

export function notSealed(model: string, candidate: string): Fault {
  return fault.precondition(
    "CANDIDATE_NOT_SEALED",
    `candidate ${candidate} of ${model} is still being frozen: repeat the freeze, or wait for its end`,
    [
      {
        type: "CANDIDATE_NOT_SEALED",
        subject: `models/${model}/candidates/${candidate}`,
        description: "it has no sealed content yet",
      },
    ],
  );
}
