/**
 * States of models in memory. Neighbouring versions share all that did not change; an older one is folded from the
 * nearest that is there: a version in memory, a snapshot in the store, the beginning.
 */
import { emptyState, withKinds, type Kinds, type ModelState } from "@greco/domain/model";
import { keys } from "@greco/control-kit";
import type { Log } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { RegistryLimits } from "../limits.ts";
import type { History } from "../store/history.ts";
import { orAbort } from "./abort.ts";
import type { Directory } from "./directory.ts";
import { Lru } from "./lru.ts";

type Held = { readonly state: ModelState; readonly kinds: Kinds };

export class States {
  readonly #directory: Directory;
  readonly #history: History;
  readonly #versionsCached: number;
  readonly #running: AbortSignal;
  readonly #models = new Map<string, Lru<Held>>();
  readonly #loading = new Map<string, Promise<ModelState>>();

  /** `running` ends the work that no caller waits for any more. */
  constructor(
    directory: Directory,
    history: History,
    limits: Pick<RegistryLimits, "versionsCached">,
    log: Log,
    running: AbortSignal,
  ) {
    this.#directory = directory;
    this.#history = history;
    this.#versionsCached = limits.versionsCached;
    this.#running = running;
    // A model that is in use here is kept up to its head, so that a reader need not wait for the fold.
    directory.heads.onChange((key) => {
      const model = key.slice(keys.head("").length);
      const version = directory.heads.get(key)?.value.version;
      if (version === undefined || !this.#models.has(model)) return;
      this.#load(model, version).catch((error: unknown) => {
        if (!running.aborted) log.warn("registry.follow", { model, version, error });
      });
    });
  }

  /** The state of a committed version. NOT_FOUND above the head. */
  async at(model: string, version: number, signal: AbortSignal): Promise<ModelState> {
    const head = await this.#directory.head(model, signal);
    if (version > head.value.version) await this.#checkExists(model, version, signal);
    return this.#held(model, version) ?? (await orAbort(this.#load(model, version), signal));
  }

  async head(model: string, signal: AbortSignal): Promise<ModelState> {
    const { value } = await this.#directory.head(model, signal);
    return await this.at(model, value.version, signal);
  }

  /** A state that is known already, as the next version's is when it is promoted. */
  put(model: string, state: ModelState, kinds: Kinds): void {
    let versions = this.#models.get(model);
    if (versions === undefined) {
      versions = new Lru<Held>(this.#versionsCached, () => 1);
      this.#models.set(model, versions);
    }
    versions.set(String(state.version), { state, kinds });
  }

  async #checkExists(model: string, version: number, signal: AbortSignal): Promise<void> {
    const fresh = await this.#directory.freshHead(model, signal);
    if (version <= fresh.value.version) return;
    throw fault.notFound(
      "VERSION_NOT_FOUND",
      `models/${model}/versions/${version}`,
      `${model} has no version ${version}: its head is ${fresh.value.version}`,
    );
  }

  #held(model: string, version: number): ModelState | undefined {
    const held = this.#models.get(model)?.get(String(version));
    if (held === undefined) return undefined;
    const kinds = this.#directory.kinds(model);
    if (held.kinds === kinds) return held.state;
    // A kind has changed: its entities may refer to others than before.
    const state = withKinds(held.state, held.kinds, kinds);
    this.put(model, state, kinds);
    return state;
  }

  /** One load a version, however many wait for it. */
  #load(model: string, version: number): Promise<ModelState> {
    const name = `${model}/${version}`;
    const held = this.#held(model, version);
    if (held !== undefined) return Promise.resolve(held);
    const known = this.#loading.get(name);
    if (known !== undefined) return known;
    const loading = this.#read(model, version).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  async #read(model: string, version: number): Promise<ModelState> {
    const kinds = this.#directory.kinds(model);
    const nearest = this.#nearest(model, version);
    const snapshot = await this.#history.snapshotRecord(model, version, this.#running);
    let from = nearest ?? emptyState();
    if (snapshot !== undefined && snapshot.version > from.version)
      from = await this.#history.snapshot(model, snapshot, kinds, this.#newest(model), this.#running);
    const state = await this.#history.fold(model, from, version, kinds, this.#running);
    this.put(model, state, kinds);
    return this.#held(model, version) ?? state;
  }

  #nearest(model: string, version: number): ModelState | undefined {
    return this.#best(model, (each, best) => each <= version && each > best);
  }

  #newest(model: string): ModelState | undefined {
    return this.#best(model, (each, best) => each > best);
  }

  #best(model: string, better: (version: number, than: number) => boolean): ModelState | undefined {
    let best: number | undefined;
    for (const [, { state }] of this.#models.get(model)?.entries() ?? [])
      if (better(state.version, best ?? -1)) best = state.version;
    return best === undefined ? undefined : this.#held(model, best);
  }
}
