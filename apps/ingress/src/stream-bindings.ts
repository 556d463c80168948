/** What a stream's binding says, ready for use: one compiled validator a binding, kept as long as it is used. */
import type { BindingRef, StreamContent } from "@greco/domain/epoch";
import type { CompiledSchema } from "@greco/expression";
import { compileSchema } from "@greco/expression";
import type { BindingReader } from "@greco/lane-kit";

export type StreamBinding = { readonly content: StreamContent; readonly schema: CompiledSchema };

/** More than there are streams in use at once; a compiled schema takes some tens of kilobytes. */
const KEPT_MAX = 1_000;

export class StreamBindings {
  readonly #bindings: BindingReader;
  /** By hash, the least recently used first. */
  readonly #kept = new Map<string, StreamBinding>();

  constructor(bindings: BindingReader) {
    this.#bindings = bindings;
  }

  peek({ hash }: BindingRef): StreamBinding | undefined {
    const binding = this.#kept.get(hash);
    if (binding === undefined) return undefined;
    this.#kept.delete(hash);
    this.#kept.set(hash, binding);
    return binding;
  }

  /** `BindingMissingError`; `SchemaError` cannot happen, since the conductor has compiled it before. */
  async load(ref: BindingRef, signal: AbortSignal): Promise<StreamBinding> {
    const known = this.peek(ref);
    if (known !== undefined) return known;
    const content = JSON.parse(await this.#bindings.content(ref, signal)) as StreamContent;
    const binding = this.peek(ref) ?? { content, schema: compileSchema(content.schema) };
    this.#kept.set(ref.hash, binding);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return binding;
  }
}
