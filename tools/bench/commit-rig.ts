// A whole commit, from the call to the moved head: Greco's, and a skeleton that makes the same durable transactions and
// the same calls with bare grpc-js, and nothing else.
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import {
  createEmbeddedWake,
  openEmbeddedControlLog,
  openEmbeddedCpStore,
  openEmbeddedLaneStore,
} from "@greco/adapter-embedded";
import { startCoordinator } from "@greco/app-coordinator";
import { startRegistry } from "@greco/app-registry";
import { CommitService } from "@greco/contracts/greco/commit/v1/commit";
import { ChunkSchema, CommandSchema, ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Binding } from "@greco/domain/epoch";
import type { ControlLog, CpStore, JournalRecord, LaneStore, Transaction, Wake } from "@greco/ports";
import { createClient, type Client } from "@greco/sdk";
import { createLog, systemClock, systemIds, type Authority } from "@greco/service-kit";

export const CONDUCTORS = 3;
const MODEL = "m";

/** What a commit makes durable, in its order; on real engines also what conductors do. */
export type Durable =
  | { readonly type: "transaction"; readonly transaction: Transaction }
  | { readonly type: "publish"; readonly bytes: number }
  | { readonly type: "journal"; readonly records: readonly JournalRecord[] }
  | { readonly type: "bindings"; readonly bindings: readonly Binding[] };

export type CommitStores = {
  readonly store: CpStore;
  readonly controlLog: ControlLog;
  readonly laneStore: LaneStore;
  readonly wake: Wake;
};

export type CommitOptions = {
  readonly openStores: (stack: AsyncDisposableStack, signal: AbortSignal) => Promise<CommitStores>;
  /** Resolves when the conductors are registered; the stack ends them. */
  readonly startConductors: (around: Around, stack: AsyncDisposableStack) => Promise<void>;
};

/** What conductors are given. */
export type Around = {
  readonly stores: CommitStores;
  readonly note: (each: Durable) => void;
  /** The token is `conductor:{name}` for a conductor. */
  client<S extends Parameters<typeof createClient>[0]>(
    service: S,
    at: "registry" | "coordinator",
    token: string,
  ): Client<S>;
  readonly signal: AbortSignal;
};

export type CommitSide = AsyncDisposable & {
  /** One commit; milliseconds from the call to the moved head. */
  commit(): Promise<number>;
};

export type GrecoSide = CommitSide & {
  /** What one commit made durable until the head had moved. */
  durable(): Promise<readonly Durable[]>;
};

/** The folder of its stores, removed at the end. */
async function stores(stack: AsyncDisposableStack, signal: AbortSignal) {
  const dir = await mkdtemp(join(tmpdir(), "greco-bench-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const at = (name: string) => ({ path: join(dir, `${name}.sqlite`), clock: systemClock });
  return {
    store: stack.use(await openEmbeddedCpStore(at("control"), signal)),
    controlLog: stack.use(await openEmbeddedControlLog(at("control-log"))),
    laneStore: stack.use(await openEmbeddedLaneStore(at("lanes"))),
    wake: stack.use(createEmbeddedWake()),
  };
}

/** Whoever has a token is who it says: what a token costs is no part of a commit's transactions. */
const authority: Authority = {
  authenticate(authorization) {
    const [kind = "", name] = (authorization ?? "").replace(/^Bearer /, "").split(":");
    return name === undefined
      ? { subject: kind }
      : { subject: name, service: { kind: kind as "control", name } };
  },
  authorize() {},
};

const onEmbedded: CommitOptions = {
  openStores: stores,
  async startConductors({ client, stores: { controlLog }, signal }, stack) {
    const ending = new AbortController();
    stack.defer(() => ending.abort(new Error("measured")));
    const both = AbortSignal.any([signal, ending.signal]);
    for (let index = 0; index < CONDUCTORS; index += 1)
      await acceptAll(
        client(ConductorService, "coordinator", `conductor:c${index}`),
        index,
        controlLog,
        both,
      );
  },
};

export async function openGreco(
  signal: AbortSignal,
  { openStores, startConductors }: CommitOptions = onEmbedded,
): Promise<GrecoSide> {
  await using stack = new AsyncDisposableStack();
  const opened = await openStores(stack, signal);
  const { store, controlLog, laneStore, wake } = opened;
  const data = { laneStore, wake };
  let noted: Durable[] | undefined;
  const note = (each: Durable): void => void noted?.push(each);
  const noting = notingStore(store, note);
  const basics = {
    clock: systemClock,
    ids: systemIds,
    authority,
    log: createLog({ service: "bench", level: "warn" }),
  };
  const listen = { host: "127.0.0.1", port: 0 };
  const registry = stack.use(await startRegistry({ ...basics, store: noting }, { listen }, signal));
  const client = <S extends Parameters<typeof createClient>[0]>(
    service: S,
    address: string,
    token: string,
  ): Client<S> => stack.use(createClient(service, { address, token, deadlineMs: 30_000 }));
  const coordinator = stack.use(
    await startCoordinator(
      {
        ...basics,
        ...data,
        store: noting,
        controlLog: notingLog(controlLog, note),
        registry: client(RegistryService, registry.address, "control:coordinator"),
      },
      { listen },
      signal,
    ),
  );
  const person = {
    registry: client(RegistryService, registry.address, "person"),
    commit: client(CommitService, coordinator.address, "person"),
  };
  await person.registry.createModel({ modelId: MODEL, model: {} }, { signal });
  const ending = new AbortController();
  stack.defer(() => ending.abort(new Error("measured")));
  const addresses = { registry: registry.address, coordinator: coordinator.address };
  const around: Around = {
    stores: opened,
    note,
    client: (service, at, token) => client(service, addresses[at], token),
    signal: ending.signal,
  };
  await startConductors(around, stack);
  const heads = headsOf(person.registry, ending.signal);
  let round = 0;
  const commit = async (): Promise<number> => {
    round += 1;
    const name = `models/${MODEL}/drafts/d${round}`;
    const { etag } = await person.registry.createDraft(
      { parent: `models/${MODEL}`, draftId: `d${round}` },
      { signal },
    );
    const change = {
      entity: `models/${MODEL}/entities/stream/flights`,
      action: { case: "putSpecJson", value: `{"lanes":${(round % 60) + 1},"schema":true}` },
    } as const;
    const edited = await person.registry.editDraft({ name, etag, changes: [change] }, { signal });
    const moved = heads.reaches(round);
    const start = performance.now();
    await person.commit.makeItSo(
      { draft: name, etag: edited.draft?.etag ?? "", reason: "bench" },
      { signal },
    );
    await moved;
    const ms = performance.now() - start;
    // The rest of the protocol belongs to no round.
    await settled(person.commit, signal);
    return ms;
  };
  const owned = stack.move();
  return {
    commit,
    async durable() {
      const all: Durable[] = [];
      noted = all;
      await commit();
      noted = undefined;
      // The head moves by a transaction; what came behind it belongs to no figure.
      const at = (prefix: string): number =>
        all.findIndex((each) => each.type === "transaction" && writes(each.transaction, prefix));
      return all.slice(at("candidate/"), at("head/") + 1);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const writes = ({ then }: Transaction, prefix: string): boolean =>
  then.some((operation) => operation.type === "put" && operation.key.startsWith(prefix));

function notingStore(store: CpStore, note: (each: Durable) => void): CpStore {
  return Object.assign(Object.create(store) as CpStore, {
    async transact(transaction: Transaction, signal: AbortSignal) {
      const result = await store.transact(transaction, signal);
      if (result.succeeded && transaction.then.length > 0) note({ type: "transaction", transaction });
      return result;
    },
  });
}

function notingLog(log: ControlLog, note: (each: Durable) => void): ControlLog {
  return Object.assign(Object.create(log) as ControlLog, {
    async publish(...args: Parameters<ControlLog["publish"]>) {
      if (args[0] === MODEL) note({ type: "publish", bytes: args[2].length });
      await log.publish(...args);
    },
  });
}

/** A trivial conductor: nothing to prepare, yes to all; the first claims everything. */
async function acceptAll(
  client: Client<typeof ConductorService>,
  index: number,
  log: ControlLog,
  signal: AbortSignal,
): Promise<void> {
  const who = { conductor: `conductors/c${index}`, model: `models/${MODEL}`, incarnation: 1n };
  await client.registerConductor({ name: who.conductor, model: who.model, incarnation: 1n }, { signal });
  const run = async (): Promise<void> => {
    for await (const { payload } of log.subscribe(MODEL, 0, signal)) {
      const chunk = fromBinary(ChunkSchema, payload);
      if (createHash("sha256").update(chunk.payload).digest("hex") !== chunk.digest)
        throw new Error("digest");
      const { commandId, command, addressees } = fromBinary(CommandSchema, chunk.payload);
      if (!addressees.includes(who.conductor)) continue;
      if (command.case === "review") {
        const { id = "", digest = "", affected = [] } = command.value.candidate ?? {};
        const claims = index === 0 ? affected.map((each) => each.entity) : [];
        const value = { plan: { claims }, ready: { bindings: [] } };
        const answer = { case: "accept", value } as const;
        await client.answerCommand({ ...who, commandId, candidate: id, digest, answer }, { signal });
      } else if (command.case === "settle") {
        const { candidate, digest, committed } = command.value;
        const answer = { case: "settled", value: { committed } } as const;
        await client.answerCommand({ ...who, commandId, candidate, digest, answer }, { signal });
      }
    }
  };
  run().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** The head, by a watch that is open before the call. */
function headsOf(registry: Client<typeof RegistryService>, signal: AbortSignal) {
  let head = 0;
  const waiting = new Map<number, () => void>();
  const run = async (): Promise<void> => {
    for await (const { model } of registry.watchModel({ name: `models/${MODEL}` }, { signal })) {
      head = Number(model?.headVersion ?? head);
      for (const [version, resolve] of waiting) if (version <= head && waiting.delete(version)) resolve();
    }
  };
  run().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return {
    reaches: (version: number): Promise<void> =>
      version <= head ? Promise.resolve() : new Promise((resolve) => waiting.set(version, resolve)),
  };
}

async function settled(commit: Client<typeof CommitService>, signal: AbortSignal): Promise<void> {
  const { proposals } = await commit.listProposals({ parent: `models/${MODEL}`, pageSize: 1 }, { signal });
  const name = proposals[0]?.name ?? "";
  for await (const _ of commit.watchProposal({ name }, { signal }));
}

export { stores as openBenchStores };
