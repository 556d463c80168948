/**
 * The ledger of the data plane, written in order (§4.5).
 *
 * I5: an entry is derived from the record that promote wrote, so any coordinator writes the same, and only for
 *     what is committed; missing lower entries come first. Before promote, a ledger that is ahead of the head is
 *     seen: store and data plane are not of one time then.
 */
import { frozenOf, ledgerEntryOf, outcomeOf, type Proposal } from "@greco/domain/commit";
import { epoch, modelId, type Epoch } from "@greco/domain/model";
import { wakeTopics } from "@greco/ports";
import type { Parts } from "../parts.ts";
import type { ProposalStore } from "../store/proposal-store.ts";

const PAGE = 500;

export class Ledger {
  readonly #parts: Pick<Parts, "laneStore" | "wake" | "registry">;
  readonly #proposals: ProposalStore;
  /** Up to which epoch it is known to be gapless. */
  readonly #known = new Map<string, number>();

  constructor(parts: Pick<Parts, "laneStore" | "wake" | "registry">, proposals: ProposalStore) {
    this.#parts = parts;
    this.#proposals = proposals;
  }

  /** The first epoch above `head` that the ledger has already; undefined: it is not ahead. */
  async aheadOf(model: string, head: Epoch, signal: AbortSignal): Promise<Epoch | undefined> {
    // Written up to the head by ourselves, and nobody writes above the head: only who comes from a restore looks.
    if (head > 0 && this.#known.get(model) === head) return undefined;
    const [entry] = await this.#parts.laneStore.readLedger(modelId(model), head, 1, signal);
    return entry?.epoch;
  }

  async mark(state: Proposal, signal: AbortSignal): Promise<void> {
    const outcome = outcomeOf(state);
    if (outcome?.committed !== true) return;
    const { model } = state.facts;
    for (
      let next = (await this.#gaplessUpTo(model, outcome.version - 1, signal)) + 1;
      next < outcome.version;
      next += 1
    )
      await this.#append(await this.#committedAs(model, next, signal), signal);
    await this.#append(state, signal);
    this.#known.set(model, outcome.version);
    this.#parts.wake.notify(wakeTopics.ledger(model));
  }

  /** The last epoch at or below `upTo` that is there; it was written in order, so all below it are, or were. */
  async #gaplessUpTo(model: string, upTo: number, signal: AbortSignal): Promise<number> {
    const known = this.#known.get(model) ?? 0;
    if (known >= upTo) return upTo;
    const { laneStore } = this.#parts;
    const [entry] = await laneStore.readLedger(modelId(model), epoch(upTo - 1), 1, signal);
    if (entry?.epoch === upTo) return upTo;
    let last = known;
    for (;;) {
      const page = await laneStore.readLedger(modelId(model), epoch(last), PAGE, signal);
      const below = page.filter((each) => each.epoch <= upTo).at(-1);
      if (below === undefined) return last;
      last = below.epoch;
    }
  }

  async #committedAs(model: string, version: number, signal: AbortSignal): Promise<Proposal> {
    const { proposal: name } = await this.#parts.registry.getVersion(
      { name: `models/${model}/versions/${version}` },
      { signal },
    );
    const stored = await this.#proposals.read(model, name.split("/").at(-1) ?? "", signal);
    if (stored === undefined)
      throw new Error(
        `the ledger of ${model} lacks epoch ${version}, and its proposal ${name} is not in the store: bring store, ledger and bindings back at one epoch`,
      );
    return stored.proposal;
  }

  async #append(state: Proposal, signal: AbortSignal): Promise<void> {
    const outcome = outcomeOf(state);
    const frozen = frozenOf(state);
    if (outcome?.committed !== true || frozen === undefined) return;
    await this.#parts.laneStore.appendLedger(ledgerEntryOf(state.facts, frozen.candidate, outcome), signal);
  }
}
