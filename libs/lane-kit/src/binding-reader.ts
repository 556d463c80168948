/** Fetches the contents of bindings that the ledger names, checks them against its hash (R6), keeps the recent ones. */
import type { BindingRef } from "@greco/domain/epoch";
import type { EntityIdentity, ModelId } from "@greco/domain/model";
import type { BindingStore } from "@greco/ports";

export type BindingReaderOptions = {
  readonly bindingStore: BindingStore;
  readonly model: ModelId;
  /** Where else a content may be had when the data plane has none (a cold boot). Checked against the hash too. */
  readonly fallback?: (binding: BindingRef, signal: AbortSignal) => Promise<string | undefined>;
  /** Contents kept, in characters over all. Default 64 Mi. */
  readonly keptChars?: number;
};

export interface BindingReader {
  /** The content, if it is at hand. */
  peek(binding: BindingRef): string | undefined;
  /** `BindingMissingError` when nobody has it (I12: the caller holds and asks again). */
  content(binding: BindingRef, signal: AbortSignal): Promise<string>;
}

/** No store has a content with the ledger's hash. */
export class BindingMissingError extends Error {
  override name = "BindingMissingError";
  readonly entity: EntityIdentity;
  constructor(binding: BindingRef, why: string) {
    super(
      `binding of ${binding.entity} for candidate ${binding.candidate} (hash ${binding.hash}) ${why}: ` +
        `repair it in the binding store; what needs it is held until then`,
    );
    this.entity = binding.entity;
  }
}
