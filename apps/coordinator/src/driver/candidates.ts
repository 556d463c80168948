/** Candidates as the registry has them: with affected entities, scope and changes; small ones kept while they are open. */
import { toBinary } from "@bufbuild/protobuf";
import { ChangeSchema, type Change } from "@greco/contracts/greco/model/v1/model";
import type { Candidate } from "@greco/contracts/greco/registry/v1/registry";
import type { CandidateFacts } from "@greco/domain/commit";
import {
  candidateId,
  epoch,
  parseEntityResource,
  type EntityIdentity,
  type KindId,
} from "@greco/domain/model";
import { modelName } from "../names.ts";
import type { Parts } from "../parts.ts";

export type CandidateContent = {
  /** With all affected entities and all of the scope. */
  readonly candidate: Candidate;
  readonly changes: readonly Change[];
};

type Held = { readonly content: Promise<CandidateContent>; bytes: number; readonly fetched?: boolean };

export class Candidates {
  readonly #parts: Pick<Parts, "registry" | "limits">;
  readonly #held = new Map<string, Held>();
  #bytes = 0;

  constructor(parts: Pick<Parts, "registry" | "limits">) {
    this.#parts = parts;
  }

  /** Read once for all who ask at the same time, and kept if it is small. */
  get(model: string, id: string, signal: AbortSignal): Promise<CandidateContent> {
    const key = `${model}/${id}`;
    const held = this.#held.get(key);
    // Not told with the freeze: then it is read.
    if (held !== undefined) return held.content.catch(() => this.#fetch(model, id, signal));
    return this.#fetch(model, id, signal);
  }

  #fetch(model: string, id: string, signal: AbortSignal): Promise<CandidateContent> {
    const key = `${model}/${id}`;
    const held = this.#held.get(key);
    if (held?.fetched === true) return held.content;
    const entry: Held = { content: this.#read(model, id, signal), bytes: 0, fetched: true };
    this.#held.set(key, entry);
    entry.content.then(
      (content) => this.#keep(key, entry, content),
      () => this.#drop(key, entry),
    );
    return entry.content;
  }

  /**
   * What is being frozen now: who asks for it waits for the freeze's own answer, which tells it without a call. The
   * returned function takes that answer, or undefined when there is none.
   */
  expect(model: string, id: string): (content: CandidateContent | undefined) => void {
    const key = `${model}/${id}`;
    let told: (content: CandidateContent | undefined) => void = () => undefined;
    const answer = new Promise<CandidateContent | undefined>((resolve) => (told = resolve));
    const content = answer.then(
      (known) => known ?? Promise.reject(new Error(`${id} was not told with its freeze`)),
    );
    const entry: Held = { content, bytes: 0 };
    this.#held.set(key, entry);
    content.then(
      (known) => this.#keep(key, entry, known),
      () => this.#drop(key, entry),
    );
    return told;
  }

  forget(model: string, id: string): void {
    const key = `${model}/${id}`;
    const held = this.#held.get(key);
    if (held !== undefined) this.#drop(key, held);
  }

  async #read(model: string, id: string, signal: AbortSignal): Promise<CandidateContent> {
    const request = { parent: modelName(model), candidate: id };
    let candidate: Candidate | undefined;
    const changes: Change[] = [];
    for await (const part of this.#parts.registry.getCandidateChanges(request, { signal })) {
      candidate = merged(candidate, part.candidate);
      for (const change of part.changes) changes.push(change);
    }
    if (candidate === undefined) throw new Error(`the registry told nothing of candidate ${id} of ${model}`);
    return { candidate, changes };
  }

  #keep(key: string, entry: Held, { candidate, changes }: CandidateContent): void {
    if (this.#held.get(key) !== entry) return;
    const { candidatesCachedBytes } = this.#parts.limits;
    let bytes = candidate.affected.length * 200 + candidate.scope.length * 80;
    for (const change of changes) {
      if (bytes > candidatesCachedBytes) break;
      bytes += sizeOf(change);
    }
    if (bytes > candidatesCachedBytes) return this.#drop(key, entry);
    entry.bytes = bytes;
    this.#bytes += bytes;
    for (const [oldest, held] of this.#held) {
      if (this.#bytes <= candidatesCachedBytes) return;
      if (held !== entry) this.#drop(oldest, held);
    }
  }

  #drop(key: string, entry: Held): void {
    if (this.#held.get(key) !== entry) return;
    this.#bytes -= entry.bytes;
    this.#held.delete(key);
  }
}

/** Affected entities and scope may go on in the candidate of a further part. */
export function merged(before: Candidate | undefined, part: Candidate | undefined): Candidate | undefined {
  if (before === undefined || part === undefined) return part ?? before;
  return {
    ...before,
    affected: [...before.affected, ...part.affected],
    scope: [...before.scope, ...part.scope],
    extentPartial: false,
  };
}

function sizeOf(change: Change): number {
  return change.action.case === "putSpecJson"
    ? change.entity.length + change.action.value.length
    : toBinary(ChangeSchema, change).length;
}

export function toFacts({ id, digest, baseVersion, changeCount, author, scope }: Candidate): CandidateFacts {
  return {
    id: candidateId(id),
    base: epoch(Number(baseVersion)),
    changeCount: Number(changeCount),
    scope: scope as EntityIdentity[],
    ...{ digest, author },
  };
}

/** Affected entities that need exactly one claim. */
export function claimableOf({ affected }: Candidate): string[] {
  return affected.filter((each) => each.claimRequired).map((each) => each.entity);
}

export function affectedKinds({ affected }: Candidate): Set<KindId> {
  return new Set(affected.flatMap((each) => parseEntityResource(each.entity)?.kind ?? []));
}
