/** Fetches the contents of bindings that the ledger names, checks them against its hash (R6), keeps the recent ones. */
import { createHash } from "node:crypto";
import type { BindingRef } from "@greco/domain/epoch";
import type { ModelId } from "@greco/domain/model";
import type { BindingStore } from "@greco/ports";
import { BINDING_CHARS } from "./limits.ts";
import { raced } from "./refresher.ts";

export type BindingReaderOptions = {
  readonly bindingStore: BindingStore;
  readonly model: ModelId;
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
  readonly binding: BindingRef;
  constructor(binding: BindingRef, why: string) {
    super(
      `binding of ${binding.entity} for candidate ${binding.candidate} (hash ${binding.hash}) ${why}: ` +
        `what needs it is held until its conductor has made it again`,
    );
    this.binding = binding;
  }
}

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export function createBindingReader(options: BindingReaderOptions): BindingReader {
  const { bindingStore, model, keptChars = BINDING_CHARS } = options;
  /** By hash, the least recently used first: equal contents are one. */
  const kept = new Map<string, string>();
  const fetching = new Map<string, Promise<string>>();
  let chars = 0;

  const keep = (hash: string, content: string): void => {
    kept.set(hash, content);
    chars += content.length;
    for (const [oldest, text] of kept) {
      if (chars <= keptChars || kept.size === 1) return;
      kept.delete(oldest);
      chars -= text.length;
    }
  };
  const peek = ({ hash }: BindingRef): string | undefined => {
    const content = kept.get(hash);
    if (content === undefined) return undefined;
    kept.delete(hash);
    kept.set(hash, content);
    return content;
  };
  const fetch = async (binding: BindingRef, signal: AbortSignal): Promise<string> => {
    const { entity, candidate, hash } = binding;
    const found = (await bindingStore.getBinding(model, entity, candidate, signal))?.content;
    const right = (text: string | undefined): text is string => text !== undefined && sha256(text) === hash;
    if (right(found)) return found;
    // R6: what has another hash than the ledger says is not this binding.
    throw new BindingMissingError(
      binding,
      found === undefined ? "is not stored" : "is stored with another content",
    );
  };
  return {
    peek,
    async content(binding, signal) {
      const content = peek(binding);
      if (content !== undefined) return content;
      // Shared by all who ask meanwhile, so it must not end with the first one's signal.
      const { hash } = binding;
      let shared = fetching.get(hash);
      if (shared === undefined) {
        shared = fetch(binding, new AbortController().signal).finally(() => fetching.delete(hash));
        fetching.set(hash, shared);
        shared.then(
          (text) => keep(hash, text),
          () => undefined,
        );
      }
      return raced(shared, signal);
    },
  };
}
