/** An ingress on embedded stores in a folder of its own, with a client, and a hand that commits epochs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedWake, openEmbeddedBindingStore, openEmbeddedLaneStore } from "@greco/adapter-embedded";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { ChangedBinding, QueryContent, StreamContent } from "@greco/domain/epoch";
import type { EntityIdentity, Epoch } from "@greco/domain/model";
import { candidateId, epoch as toEpoch, modelId } from "@greco/domain/model";
import type { Entry, WriterId } from "@greco/domain/lane";
import { sha256 } from "@greco/lane-kit";
import type { BindingStore, LaneStore, Log, Wake } from "@greco/ports";
import { wakeTopics } from "@greco/ports";
import type { Client } from "@greco/sdk";
import { createClient, GrecoError } from "@greco/sdk";
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

  /** An ingress that can die: from then on its stores answer nothing any more. */
  async mortalIngress(): Promise<{
    readonly client: Client<typeof IngressService>;
    readonly kill: () => void;
  }> {
    const dead = new AbortController();
    const laneStore = intercepted(this.laneStore, async (call, signal) => {
      if (!dead.signal.aborted) return call();
      await systemClock.sleep(1e9, signal);
      throw signal.reason;
    });
    const { client } = await this.ingress({ name: "mortal" }, { laneStore });
    return { client, kill: () => dead.abort() };
  }

  /** One whose appends land without an answer while they are held, and whose lease can be taken. */
  async holdableIngress() {
    let held = false;
    const writers = new Set<WriterId>();
    const laneStore: LaneStore = Object.assign(Object.create(this.laneStore) as LaneStore, {
      createLease: (...args: Parameters<LaneStore["createLease"]>) => {
        writers.add(args[1]);
        return this.laneStore.createLease(...args);
      },
      append: async (...args: Parameters<LaneStore["append"]>) => {
        await this.laneStore.append(...args);
        if (held) await systemClock.sleep(1e9, args[2]);
      },
    });
    const { client } = await this.ingress({ name: "holdable" }, { laneStore });
    const lose = async (): Promise<void> => {
      for (const writer of writers)
        for (let count = (await this.laneStore.readLease(MODEL, writer, never))?.count ?? 1; ; count += 1)
          if ((await this.laneStore.closeLease(MODEL, writer, count, never)).state !== "held") break;
    };
    return { client, lose, hold: (on: boolean) => void (held = on) };
  }

  /** As conductors and coordinator do: bindings first, then the ledger. Content absent: removed. */
  async commit(
    changes: readonly Change[],
    scope?: readonly EntityIdentity[],
    { withhold = [] }: { readonly withhold?: readonly EntityIdentity[] } = {},
  ): Promise<Epoch> {
    this.#epoch += 1;
    const epoch = toEpoch(this.#epoch);
    const candidate = candidateId(`c${epoch}`);
    const bindings = changes.map(({ entity, content }): ChangedBinding => {
      if (content === undefined) return { entity, removed: true };
      return { entity, candidate, hash: sha256(JSON.stringify(content)), removed: false };
    });
    const stored = changes.flatMap(({ entity, content }) => {
      if (content === undefined || withhold.includes(entity)) return [];
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

export async function refusal(call: Promise<unknown>): Promise<GrecoError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof GrecoError)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

/** Every call of the store, through `around`; a call's last argument is its signal. */
function intercepted(
  store: LaneStore,
  around: (call: () => Promise<unknown>, signal: AbortSignal) => Promise<unknown>,
): LaneStore {
  return new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function" || typeof name === "symbol") return method;
      return (...args: unknown[]) =>
        around(() => method.apply(target, args) as Promise<unknown>, args.at(-1) as AbortSignal);
    },
  });
}

/** No hint ever arrives. */
export const deafWake: Wake = {
  notify: () => undefined,
  listen: () => () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Looks until there is something, at most some seconds. */
export async function eventually<T>(look: () => Promise<T | undefined>, withinMs = 12_000): Promise<T> {
  const untilMs = systemClock.monotonicMs() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (systemClock.monotonicMs() > untilMs) throw new Error("it did not come");
    await systemClock.sleep(20, never);
  }
}

/** Every row of a stream's lanes, lane by lane. */
export async function rowsOf(world: World, stream: EntityIdentity): Promise<readonly Entry[]> {
  const lanes = await world.laneStore.listLanes(MODEL, { stream, includeFinished: true }, never);
  const rows: Entry[] = [];
  for (const { info, state } of lanes)
    rows.push(...(await world.laneStore.read(MODEL, info.id, state.firstRetained, 1_000, never)).entries);
  return rows;
}
