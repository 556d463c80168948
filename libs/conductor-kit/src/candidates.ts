/**
 * The candidates that are open here, as far as a conductor looks at them: their changes of the kinds that it
 * sees. Kept from the review on; after a restart they are read from the registry again.
 */
import type { CandidateId } from "@greco/domain/model";
import type { Candidate, SnapshotResponse } from "@greco/contracts/greco/registry/v1/registry";
import { parseEntityResource, type EntityKey } from "@greco/domain/model";
import type { SessionContext } from "./context.ts";
import { View, type ViewChange, type ViewRow } from "./view.ts";
import { toViewChanges } from "./wire.ts";

export type OpenCandidate = {
  readonly restoresVersion: number;
  readonly changes: readonly ViewChange[];
};

export class Candidates {
  readonly #context: SessionContext;
  readonly #open = new Map<CandidateId, OpenCandidate>();

  constructor(context: SessionContext) {
    this.#context = context;
  }

  put(id: CandidateId, candidate: OpenCandidate): void {
    this.#open.set(id, candidate);
  }

  /** It is settled, or was never voted on. */
  forget(id: CandidateId): void {
    this.#open.delete(id);
  }

  async get(id: CandidateId, signal: AbortSignal): Promise<OpenCandidate> {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const read = await readCandidate(this.#context, id, signal);
    this.#open.set(id, read);
    return read;
  }
}

/** A candidate as the registry holds it, open or promoted. */
export async function readCandidate(
  { registry, model, seen }: SessionContext,
  id: CandidateId,
  signal: AbortSignal,
): Promise<OpenCandidate & { readonly base: number }> {
  const changes: ViewChange[] = [];
  let candidate: Candidate | undefined;
  const request = { parent: `models/${model}`, candidate: id };
  for await (const response of registry.getCandidateChanges(request, { signal })) {
    candidate ??= response.candidate;
    changes.push(...toViewChanges(model, response.changes, seen));
  }
  const base = Number(candidate?.baseVersion ?? 0n);
  return { base, restoresVersion: Number(candidate?.restoresVersion ?? 0n), changes };
}

/** The model at a version, or at a head of at least one, as far as this conductor looks at it. */
export async function readSnapshot(
  { registry, model, seen }: SessionContext,
  at: { readonly version: number } | { readonly atLeast: number },
  signal: AbortSignal,
): Promise<View> {
  const view =
    "version" in at
      ? { at: { case: "version" as const, value: BigInt(at.version) } }
      : { minVersion: BigInt(Math.max(0, at.atLeast)) };
  let version: number | undefined;
  let complete = false;
  const rows: ViewRow[] = [];
  for await (const response of registry.snapshot({ parent: `models/${model}`, view }, { signal })) {
    version ??= Number(response.version);
    complete ||= response.last;
    for (const row of toRows(response, seen)) rows.push(row);
  }
  if (version === undefined || !complete) throw new Error(`snapshot of models/${model} broke off`);
  return View.of(version, rows);
}

function* toRows(response: SnapshotResponse, kinds: ReadonlySet<string>): IterableIterator<ViewRow> {
  for (const { name, createdVersion, specJson } of response.entities) {
    const parts = parseEntityResource(name);
    if (parts === undefined || !kinds.has(parts.kind)) continue;
    const key = `${parts.kind}/${parts.name}` as EntityKey;
    yield { key, createdVersion: Number(createdVersion), specJson };
  }
}
