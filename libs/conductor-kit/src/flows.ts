/** Which query read, wrote and looked up what in a range of epochs, as the ledger and its bindings say. */
import type { QueryContent } from "@greco/domain/epoch";
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

  /** Every flow that was in force at some epoch from `from` until `until`, exclusively. */
  async in(from: Epoch, until: Epoch, signal: AbortSignal): Promise<readonly Flow[]> {
    const { index } = this.#sources.ledger;
    const flows = new Set<Flow>();
    for (const query of index.entitiesOf("query")) {
      const within = index.changesOf(query).filter((epoch) => epoch > from && epoch < until);
      for (const epoch of [from, ...within]) {
        const binding = index.bindingAt(epoch, query);
        const flow = binding === undefined ? undefined : await this.#flowOf(binding, signal);
        if (flow !== undefined) flows.add(flow);
      }
    }
    return [...flows];
  }

  /** Undefined: its binding was retired, so no lane needs it, nor what it stood on. */
  async #flowOf(
    binding: Parameters<ProgressSources["bindings"]["content"]>[0],
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
      if (error instanceof BindingMissingError) return undefined;
      throw error;
    }
  }
}
