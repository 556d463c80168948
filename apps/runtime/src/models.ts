/** The models that the data plane knows, each with its runner, found without asking anybody else (I9). */
import type { ModelId } from "@greco/domain/model";
import { Hint, isPassing } from "@greco/lane-kit";
import type { LaneRunner, RunnerStatus } from "@greco/runtime-kit";
import { runLanes } from "@greco/runtime-kit";
import type { RuntimeContext } from "./options.ts";

export class Models implements AsyncDisposable {
  readonly #context: RuntimeContext;
  readonly #runners = new Map<ModelId, LaneRunner>();
  readonly #stop = new AbortController();
  readonly #due = new Hint();
  #loop: Promise<void> = Promise.resolve();

  constructor(context: RuntimeContext) {
    this.#context = context;
  }

  /** Opens what is there, then goes on looking until it is disposed. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#look(AbortSignal.any([signal, this.#stop.signal]));
    this.#loop = this.#follow();
  }

  status(): readonly RunnerStatus[] {
    return [...this.#runners.values()].map((runner) => runner.status());
  }

  /** Graceful: every runner finishes what is under way, ends its lanes and gives its units up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the runtime stops"));
    await this.#loop;
    await Promise.all([...this.#runners.values()].map((runner) => runner[Symbol.asyncDispose]()));
    this.#runners.clear();
  }

  async #follow(): Promise<void> {
    const { clock, log, modelsPollMs } = this.#context;
    const { signal } = this.#stop;
    let failing = false;
    while (!signal.aborted) {
      try {
        await this.#due.next(clock, modelsPollMs, signal);
        await this.#look(signal);
        failing = false;
      } catch (error) {
        if (signal.aborted) return;
        if (!failing) log.warn("models.unreadable", { error, passing: isPassing(error) });
        failing = true;
      }
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { laneStore, models } = this.#context;
    for (const model of await laneStore.listModels(signal))
      if (!this.#runners.has(model) && (models === undefined || models.includes(model)))
        this.#runners.set(model, await this.#run(model));
  }

  async #run(model: ModelId): Promise<LaneRunner> {
    const { functionHost, crash, modelsPollMs: _, models: __, ...rest } = this.#context;
    // Not by the signal of the start: it stops when it is disposed, gracefully.
    const runner = await runLanes({ ...rest, model, host: functionHost }, new AbortController().signal);
    runner.stopped.catch(crash);
    rest.log.info("model.opened", { model });
    return runner;
  }
}
