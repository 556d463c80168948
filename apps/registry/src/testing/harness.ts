/** A registry as it runs, behind a real socket, on a store in a temporary folder; callers by name. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedCpStore } from "@greco/adapter-embedded";
import { RegistryService, type Candidate } from "@greco/contracts/greco/registry/v1/registry";
import { keys, roleOf } from "@greco/control-kit";
import type { CpStore, Log } from "@greco/ports";
import { createClient, GrecoError, type Client } from "@greco/sdk";
import { createAuthority, systemClock, systemIds, type Authority, type Caller } from "@greco/service-kit";
import type { RegistryLimits } from "../limits.ts";
import { startRegistry, type RunningRegistry } from "../start-registry.ts";
import { put } from "../store/json.ts";

export const signal: AbortSignal = new AbortController().signal;
export const options = { signal };

export const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silent,
};

/** The token is the name: `ada`, `control:coordinator`, `conductor:worker`. */
export function namedCallers(store: CpStore): Authority {
  const verify = (token: string): Caller => {
    const [kind = "", name] = token.split(":");
    if (name === undefined) return { subject: token };
    return { subject: name, service: { kind: kind as "control", name } };
  };
  return createAuthority({
    tokens: { verify },
    roleOf: (model, subject, each) => roleOf(store, model, subject, each),
  });
}

export type RegistryClient = Client<typeof RegistryService> & AsyncDisposable;

export type TestRegistry = AsyncDisposable & {
  readonly store: CpStore;
  readonly running: RunningRegistry;
  as(token: string): RegistryClient;
  /** A second one on the same store. */
  replica(): Promise<TestRegistry>;
};

export type TestOptions = {
  readonly limits?: Partial<RegistryLimits>;
  /** Around the store that the registry uses. */
  readonly wrap?: (store: CpStore) => CpStore;
};

export async function openStore(): Promise<CpStore & { readonly path: string }> {
  const dir = await mkdtemp(join(tmpdir(), "greco-registry-"));
  const path = join(dir, "control.sqlite");
  const store = await openEmbeddedCpStore({ path, clock: systemClock }, signal);
  return Object.assign(Object.create(store) as CpStore, {
    path,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  });
}

export async function openRegistry(test: TestOptions = {}): Promise<TestRegistry> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore());
  const registry = stack.use(await onStore(store, test));
  const owned = stack.move();
  return { ...registry, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export async function onStore(store: CpStore, test: TestOptions = {}): Promise<TestRegistry> {
  await using stack = new AsyncDisposableStack();
  const running = stack.use(
    await startRegistry(
      {
        store: test.wrap?.(store) ?? store,
        clock: systemClock,
        ids: systemIds,
        log: silent,
        authority: namedCallers(store),
      },
      {
        listen: { host: "127.0.0.1", port: 0 },
        ...(test.limits === undefined ? {} : { limits: test.limits }),
      },
      signal,
    ),
  );
  const clients = new Map<string, RegistryClient>();
  const owned = stack.move();
  // Clients made later go with the rest.
  const later = new AsyncDisposableStack();
  return {
    store,
    running,
    as(token) {
      const known = clients.get(token);
      if (known !== undefined) return known;
      const client = later.use(
        createClient(RegistryService, { address: running.address, token, deadlineMs: 30_000 }),
      );
      clients.set(token, client);
      return client;
    },
    replica: () => onStore(store, test),
    async [Symbol.asyncDispose]() {
      await later.disposeAsync();
      await owned.disposeAsync();
    },
  };
}

/** The error that a call ends with. */
export async function errorOf(call: Promise<unknown>): Promise<GrecoError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof GrecoError) return error;
    throw error;
  }
  throw new Error("the call was expected to fail");
}

/** `code reason` */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  const { code, reason } = await errorOf(call);
  return `${code} ${reason}`;
}

export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

export type Specs = Readonly<Record<string, object | null>>;

export const stream = (lanes?: number): object => ({
  schema: true,
  ...(lanes === undefined ? {} : { lanes }),
});
export const query = (from: string, to: string): object => ({ from, to, select: { x: "event.x" } });

/** `null` deletes. */
export function changesOf(model: string, specs: Specs) {
  return Object.entries(specs).map(([key, spec]) => ({
    entity: `models/${model}/entities/${key}`,
    action:
      spec === null
        ? ({ case: "delete", value: true } as const)
        : ({ case: "putSpecJson", value: JSON.stringify(spec) } as const),
  }));
}

let made = 0;
export const newId = (prefix: string): string => `${prefix}-${++made}`;

/** A draft with these changes, and its etag. */
export async function draftOf(
  client: RegistryClient,
  model: string,
  specs: Specs,
): Promise<{ readonly name: string; readonly etag: string }> {
  const parent = `models/${model}`;
  const draft = await client.createDraft({ parent, draftId: newId("draft") }, options);
  if (Object.keys(specs).length === 0) return draft;
  const { name, etag } = draft;
  const edited = await client.editDraft({ name, etag, changes: changesOf(model, specs) }, options);
  return { name, etag: edited.draft?.etag ?? "" };
}

export async function frozen(
  registry: TestRegistry,
  model: string,
  draft: { readonly name: string; readonly etag: string },
  proposalId: string = newId("proposal"),
): Promise<Candidate> {
  const { candidate } = await registry.as("control:coordinator").freeze(
    {
      parent: `models/${model}`,
      source: { case: "draft", value: draft.name },
      etag: draft.etag,
      actor: "rel",
      proposalId,
      proposalRecord: new Uint8Array([1]),
    },
    options,
  );
  if (candidate === undefined) throw new Error("a freeze without a candidate");
  return candidate;
}

export async function promoted(registry: TestRegistry, model: string, candidate: Candidate) {
  return await registry.as("control:coordinator").promote(
    {
      parent: `models/${model}`,
      candidate: candidate.id,
      digest: candidate.digest,
      actor: "rel",
      reason: "test",
    },
    options,
  );
}

/** Who holds the model's slot, as the coordinator writes it. */
export async function slotOf(
  { store }: TestRegistry,
  slot: { readonly proposal: string; readonly armed: boolean; readonly reverts?: string } | undefined,
): Promise<void> {
  const key = keys.slot("m");
  const write = slot === undefined ? ({ type: "delete", range: { key } } as const) : put(key, slot);
  await store.transact({ compare: [], then: [write] }, signal);
}

/** One version more, with these changes. */
export async function commit(registry: TestRegistry, model: string, specs: Specs): Promise<number> {
  const candidate = await frozen(registry, model, await draftOf(registry.as("ada"), model, specs));
  const decision = await promoted(registry, model, candidate);
  return Number(decision.candidate?.promotedVersion);
}

export async function createModel(registry: TestRegistry, modelId = "m", more: object = {}): Promise<void> {
  await registry.as("ada").createModel({ modelId, model: more }, options);
}
