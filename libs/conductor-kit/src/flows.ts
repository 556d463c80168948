/**
 * Which query read, wrote and looked up what in a range of epochs, as the ledger and its bindings say.
 *
 * I13: a binding that is missing was retired only if the floor has passed what replaced it, for retire raises the
 * floor before it removes. Otherwise it is lost, and what its query used cannot be told.
 */
import type { BindingRef, QueryContent } from "@greco/domain/epoch";
import type { Epoch } from "@greco/domain/model";
import { BindingMissingError, type ProgressSources } from "@greco/lane-kit";
import type { Flow } from "./conductor.ts";

export class Flows {
  readonly #sources: ProgressSources;
  /** By the content's hash. */
  readonly #known = new Map<string, Flow>();

  constructor(sources: ProgressSources) {
    this.#sources = sources;
  }

  /**
   * Every flow that was in force at some epoch from `from` until `until`, exclusively, but those that were retired.
   * Rejects with `BindingMissingError` where one is lost.
   */
  async in(from: Epoch, until: Epoch, signal: AbortSignal): Promise<readonly Flow[]> {
    const { index } = this.#sources.ledger;
    const flows = new Set<Flow>();
    for (const query of index.entitiesOf("query")) {
      const within = index.changesOf(query).filter((epoch) => epoch > from && epoch < until);
      for (const epoch of [from, ...within]) {
        const binding = index.bindingAt(epoch, query);
        if (binding === undefined) continue;
        const replaced = index.changesOf(query).find((each) => each > epoch);
        const flow = await this.#flowOf(binding, replaced, signal);
        if (flow !== undefined) flows.add(flow);
      }
    }
    return [...flows];
  }

  /** Undefined: its binding was retired, so no lane needs it, nor what it stood on. */
  async #flowOf(
    binding: BindingRef,
    replaced: Epoch | undefined,
    signal: AbortSignal,
  ): Promise<Flow | undefined> {
    const known = this.#known.get(binding.hash);
    if (known !== undefined) return known;
    try {
      const content = await this.#sources.bindings.content(binding, signal);
      const { from, to, tables } = JSON.parse(content) as QueryContent;
      const flow = { from, to, tables };
      this.#known.set(binding.hash, flow);
      return flow;
    } catch (error) {
      if (!(error instanceof BindingMissingError) || replaced === undefined) throw error;
      // Read behind the miss: whoever retired it had raised the floor before.
      const { laneStore, ledger } = this.#sources;
      if (replaced > (await laneStore.readFloor(ledger.model, signal))) throw error;
      return undefined;
    }
  }
}
