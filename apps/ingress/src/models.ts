/** The models that the data plane knows, each with its host, found without asking anybody else (I9). */
import type { ModelId } from "@greco/domain/model";
import { isSegment } from "@greco/domain/model";
import { Hint, isPassing } from "@greco/lane-kit";
import { fault, nearest } from "@greco/service-kit";
import type { ModelHost } from "./model-host.ts";
import { openModelHost } from "./model-host.ts";
import type { IngressContext } from "./options.ts";
import type { Hosts } from "./stream-names.ts";
import { untilAborted } from "./waiting.ts";

export class Models implements Hosts, AsyncDisposable {
  readonly #context: IngressContext;
  readonly #hosts = new Map<ModelId, ModelHost>();
  readonly #stop = new AbortController();
  readonly #asked = new Hint();
  #looking: Promise<void> | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(context: IngressContext) {
    this.#context = context;
  }

  /** Opens what is there, then goes on looking until it is disposed. */
  async start(signal: AbortSignal): Promise<void> {
    await untilAborted(this.#look(), signal);
    this.#loop = this.#follow();
  }

  hosts(): readonly ModelHost[] {
    return [...this.#hosts.values()];
  }

  async get(model: string, signal: AbortSignal): Promise<ModelHost> {
    const known = isSegment(model) ? this.#hosts.get(model as ModelId) : undefined;
    if (known !== undefined) return known;
    // It may have got its first epoch a moment ago.
    await untilAborted(this.#look(), signal);
    const found = this.#hosts.get(model as ModelId);
    if (found !== undefined) return found;
    const near = nearest(model, this.#hosts.keys());
    throw fault.notFound(
      "UNKNOWN_MODEL",
      `models/${model}`,
      `the data plane knows no model ${model}${near === undefined ? "" : `: did you mean ${near}?`}; ` +
        `a new one is known from its first commit on`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the ingress stops"));
    await this.#loop;
    await this.#looking?.catch(() => undefined);
    await Promise.all(this.hosts().map((host) => host[Symbol.asyncDispose]()));
    this.#hosts.clear();
  }

  async #follow(): Promise<void> {
    const { clock, limits, log } = this.#context;
    let failing = false;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#asked.next(clock, limits.pollMs, this.#stop.signal);
        await this.#look();
        failing = false;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!failing) log.warn("models.unreadable", { error, passing: isPassing(error) });
        failing = true;
      }
    }
  }

  /** Shared by all who look meanwhile. */
  #look(): Promise<void> {
    this.#looking ??= this.#open().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #open(): Promise<void> {
    const { signal } = this.#stop;
    for (const model of await this.#context.laneStore.listModels(signal)) {
      if (this.#hosts.has(model)) continue;
      try {
        this.#hosts.set(model, await openModelHost(this.#context, model, signal));
        this.#context.log.info("model.opened", { model });
      } catch (error) {
        // One that cannot be opened must not keep the others from their ingress; it is tried again.
        signal.throwIfAborted();
        this.#context.log.warn("model.unopened", { model, error });
      }
    }
  }
}
