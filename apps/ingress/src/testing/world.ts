/** An ingress on embedded stores in a folder of its own, with a client, and a hand that commits epochs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { ChangedBinding, QueryContent, StreamContent } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { candidateId, epoch as toEpoch, modelId } from "@greco/domain/model";
import { sha256 } from "@greco/lane-kit";
import type { BindingStore, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import type { Client } from "@greco/sdk";
import { createClient } from "@greco/sdk";
import { systemClock, systemIds } from "@greco/service-kit";
import { trustingAuthority } from "@greco/service-kit/testing";
import type { IngressDependencies, IngressOptions } from "../options.ts";
import type { RunningIngress } from "../start-ingress.ts";
import { startIngress } from "../start-ingress.ts";

export const MODEL = modelId("airline");
export const FLIGHTS = "stream/flights@1" as EntityIdentity;
export const RESOURCE = "models/airline/streams/flights";
export const LEASE_MS = 800;

export const never = new AbortController().signal;

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

export const flightsContent: StreamContent = {
  name: "flights",
  schema: {
    type: "object",
    properties: { origin: { type: "string" }, delay: { type: "number" } },
    required: ["origin", "delay"],
  },
  key: "origin",
  lanes: 2,
};

export type Change = { readonly entity: EntityIdentity; readonly content?: StreamContent | QueryContent };

export class World implements AsyncDisposable {
  readonly laneStore: LaneStore;
  readonly bindingStore: BindingStore;
  readonly wake: Wake;
  readonly #folder: string;
  readonly #resources = new AsyncDisposableStack();
  #epoch = 0;

  constructor(folder: string, laneStore: LaneStore, bindingStore: BindingStore, wake: Wake) {
    this.#folder = folder;
    this.laneStore = this.#resources.use(laneStore);
    this.bindingStore = this.#resources.use(bindingStore);
    this.wake = this.#resources.use(wake);
  }

  async ingress(
    options: Partial<IngressOptions> = {},
    dependencies: Partial<IngressDependencies> = {},
  ): Promise<{ readonly running: RunningIngress; readonly client: Client<typeof IngressService> }> {
    const { laneStore, bindingStore, wake } = this;
    const running = await startIngress(
      {
        laneStore,
        bindingStore,
        wake,
        clock: systemClock,
        ids: systemIds,
        log: silentLog,
        authority: trustingAuthority(),
        ...dependencies,
      },
      { listen: { host: "127.0.0.1", port: 0 }, leaseMs: LEASE_MS, pollMs: 50, lanePollMs: 20, ...options },
      never,
    );
    this.#resources.use(running);
    return { running, client: this.client(running.address) };
  }

  client(address: string, token = "ada"): Client<typeof IngressService> {
    return this.#resources.use(createClient(IngressService, { address, token, deadlineMs: 15_000 }));
  }

  /** As conductors and coordinator do: bindings first, then the ledger. Content absent: removed. */
  async commit(changes: readonly Change[], scope?: readonly EntityIdentity[]): Promise<Epoch> {
    this.#epoch += 1;
    const epoch = toEpoch(this.#epoch);
    const candidate = candidateId(`c${epoch}`);
    const bindings = changes.map(({ entity, content }): ChangedBinding => {
      if (content === undefined) return { entity, removed: true };
      return { entity, candidate, hash: sha256(JSON.stringify(content)), removed: false };
    });
    const stored = changes.flatMap(({ entity, content }) => {
      if (content === undefined) return [];
      const text = JSON.stringify(content);
      return [{ model: MODEL, entity, candidate, hash: sha256(text), content: text }];
    });
    if (stored.length > 0) await this.bindingStore.putBindings(stored, never);
    const streams = changes.map(({ entity }) => entity).filter((entity) => entity.startsWith("stream/"));
    await this.laneStore.appendLedger(
      { model: MODEL, epoch, candidate, scope: scope ?? streams, bindings, committedAtMs: 0 },
      never,
    );
    this.wake.notify(wakeTopics.ledger(MODEL));
    return epoch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export async function openWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "greco-ingress-"));
  const laneStore = await openEmbeddedLaneStore({ path: join(folder, "lanes.db"), clock: systemClock });
  const bindingStore = await openEmbeddedBindingStore({
    path: join(folder, "bindings.db"),
    clock: systemClock,
  });
  return new World(folder, laneStore, bindingStore, createEmbeddedWake());
}

export function flight(origin: string, delay: number) {
  return { payload: new TextEncoder().encode(JSON.stringify({ origin, delay })) };
}
