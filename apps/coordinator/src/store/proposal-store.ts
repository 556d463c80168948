/** Proposals' records, with the revision to compare with, and what is kept beside them. */
import { decodeProposal, restoreDetail, type Proposal } from "@greco/domain/commit";
import { keys } from "@greco/control-kit";
import type { CpStore, KeyValue, Operation } from "@greco/ports";
import type { CoordinatorLimits } from "../limits.ts";

export type StoredProposal = {
  readonly model: string;
  readonly id: string;
  readonly proposal: Proposal;
  /** Of its newest change. */
  readonly revision: number;
  /** Of its creation: the order of the queue. */
  readonly created: number;
};

const PAGE = 200;

export class ProposalStore {
  readonly #store: CpStore;
  readonly #partBytes: number;

  constructor(store: CpStore, limits: Pick<CoordinatorLimits, "partBytes">) {
    this.#store = store;
    this.#partBytes = limits.partBytes;
  }

  async read(model: string, id: string, signal: AbortSignal): Promise<StoredProposal | undefined> {
    const { entries } = await this.#store.range({ key: keys.proposal(model, id) }, { limit: 1 }, signal);
    return entries[0] === undefined ? undefined : await this.decode(entries[0], signal);
  }

  async decode(entry: KeyValue, signal: AbortSignal): Promise<StoredProposal> {
    const { model, id } = partsOf(entry.key);
    const { proposal, external } = decodeProposal(entry.value);
    const whole = external ? restoreDetail(proposal, await this.#detail(model, id, signal)) : proposal;
    return { model, id, proposal: whole, revision: entry.modRevision, created: entry.createRevision };
  }

  /** Without what is kept beside: enough to show it. */
  shown(entry: KeyValue): StoredProposal {
    const { model, id } = partsOf(entry.key);
    const { proposal } = decodeProposal(entry.value);
    return { model, id, proposal, revision: entry.modRevision, created: entry.createRevision };
  }

  /** All that are not settled, without a look at those that are; nothing that is made later is missed from `revision` on. */
  async open(signal: AbortSignal): Promise<{ readonly open: StoredProposal[]; readonly revision: number }> {
    const open: StoredProposal[] = [];
    let after: string | undefined;
    let revision: number | undefined;
    for (;;) {
      const range = { prefix: keys.allOpenProposals(), ...(after === undefined ? {} : { after }) };
      const page = await this.#store.range(range, { limit: PAGE, keysOnly: true }, signal);
      revision ??= page.revision;
      for (const { key } of page.entries) {
        const { model, id } = partsOf(key);
        const stored = await this.read(model, id, signal);
        if (stored !== undefined && stored.proposal.phase !== "settled") open.push(stored);
      }
      after = page.entries.at(-1)?.key;
      if (!page.more || after === undefined) return { open, revision };
    }
  }

  /** Durable before the record that refers to it. Deterministic, so that writing it twice does no harm. */
  async writeDetail(model: string, id: string, detail: Uint8Array, signal: AbortSignal): Promise<void> {
    const prefix = keys.proposalDetails(model, id);
    for (let at = 0, index = 0; at < detail.length; at += this.#partBytes, index += 1) {
      const key = `${prefix}${String(index).padStart(6, "0")}`;
      const value = detail.subarray(at, at + this.#partBytes);
      await this.#store.transact({ compare: [], then: [{ type: "put", key, value }] }, signal);
    }
  }

  async #detail(model: string, id: string, signal: AbortSignal): Promise<Uint8Array> {
    const { entries } = await this.#store.range({ prefix: keys.proposalDetails(model, id) }, {}, signal);
    return Buffer.concat(entries.map((entry) => entry.value));
  }
}

/** With the write that settles it: whoever takes the lead need not look at it again. */
export function closed({ phase, facts: { model, proposal } }: Proposal): readonly Operation[] {
  if (phase !== "settled") return [];
  return [{ type: "delete", range: { key: keys.openProposal(model, proposal) } }];
}

/** `proposal/{model}/{proposal}`, and other keys of its form. */
export function partsOf(key: string): { readonly model: string; readonly id: string } {
  const [, model = "", id = ""] = key.split("/");
  return { model, id };
}
