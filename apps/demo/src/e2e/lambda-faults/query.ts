/** The one query of each model, as its model's history knows it: what is in force at which epoch. */
import type { QueryContent } from "@greco/domain/epoch";
import {
  candidateId,
  entityIdentity,
  entityKey,
  epoch,
  modelId,
  type CandidateId,
  type EntityIdentity,
  type ModelId,
} from "@greco/domain/model";
import type { BindingStore, LaneStore } from "@greco/ports";
import type { QueryState } from "./operations.ts";

export const QUERY = "late";

/** A version that an epoch names. */
export type InForce = {
  readonly candidate: CandidateId;
  readonly entity: EntityIdentity;
  readonly functionName: string;
  readonly version: string;
  readonly codeSha256: string;
  readonly state: QueryState;
};

export const specOf = (
  { factor, memoryMb, reserved, provisioned }: QueryState,
  role: string,
): Readonly<Record<string, unknown>> => ({
  ...{ from: "in", to: "out", runtime: "lambda", select: { n: `event.n * ${factor}` } },
  lambda: {
    ...{ role, memoryMb, concurrency: 2 },
    ...{ reservedConcurrency: reserved, provisionedConcurrency: provisioned },
  },
});

export const nameOf = ({ functionName, version }: InForce): string => `${functionName}:${version}`;

type Stores = { readonly laneStore: LaneStore; readonly bindingStore: BindingStore };

export class History {
  readonly model: ModelId;
  readonly #stores: Stores;
  readonly #at = new Map<number, InForce | undefined>();
  /** Identity carries the version that made it. */
  #entity: EntityIdentity | undefined;
  #now: InForce | undefined;

  constructor(model: string, stores: Stores) {
    this.model = modelId(model);
    this.#stores = stores;
  }

  get now(): InForce | undefined {
    return this.#now;
  }

  /** All that any epoch names: `function:version`. */
  get versions(): readonly string[] {
    return [...new Set([...this.#at.values()].flatMap((each) => (each === undefined ? [] : [nameOf(each)])))];
  }

  /** `function:version` that the epoch names. */
  readonly versionAt = (at: number): string | undefined => {
    const found = this.#at.get(at);
    return found === undefined ? undefined : nameOf(found);
  };

  /** Of an epoch that is in the ledger now. */
  async take(version: number, state: QueryState | undefined, signal: AbortSignal): Promise<void> {
    const { laneStore, bindingStore } = this.#stores;
    const [entry] = await laneStore.readLedger(this.model, epoch(version - 1), 1, signal);
    if (entry?.epoch !== version) throw new Error(`epoch ${version} of ${this.model} is not in the ledger`);
    if (state === undefined) this.#entity = undefined;
    else {
      this.#entity ??= entityIdentity(entityKey("query", QUERY), version);
      const binding = await bindingStore.getBinding(this.model, this.#entity, entry.candidate, signal);
      const { lambda } = JSON.parse(binding?.content ?? "{}") as Partial<QueryContent>;
      const [name, number] = (lambda?.qualifiedArn ?? "").split(":").slice(-2);
      if (lambda === undefined || name === undefined || number === undefined)
        throw new Error(`epoch ${version} of ${this.model} names no version of a function`);
      const { codeSha256 } = lambda;
      const { candidate } = entry;
      this.#now = { candidate, entity: this.#entity, functionName: name, version: number, codeSha256, state };
    }
    if (state === undefined) this.#now = undefined;
    this.#at.set(version, this.#now);
  }

  /** Of the query alone. */
  async rowsOf(candidate: string, signal: AbortSignal): Promise<readonly string[]> {
    const rows = await this.#stores.bindingStore.listBindings(this.model, candidateId(candidate), signal);
    return rows.map(({ entity }) => entity).filter((entity) => entity.startsWith("query/"));
  }
}
