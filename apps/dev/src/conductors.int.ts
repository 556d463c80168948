/** The real registry and coordinator with the three conductors: from a draft to a commit, and to vetoes. */
import { createIdentities, type Person } from "./identities.ts";
import { openStores, type Stores } from "./stores.ts";
import { startConductorStreams } from "@greco/app-conductor-streams";
import { startConductorTables } from "@greco/app-conductor-tables";
import { startConductorWorker } from "@greco/app-conductor-worker";
import { startCoordinator } from "@greco/app-coordinator";
import { startRegistry } from "@greco/app-registry";
import type { RunningConductor } from "@greco/conductor-kit";
import { temporaryFolder } from "@greco/conductor-kit/testing";
import { AbortCause, CommitService, Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { ConductorService } from "@greco/contracts/greco/conductor/v1/conductor";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { QueryContent } from "@greco/domain/epoch";
import { epoch, modelId } from "@greco/domain/model";
import { createClient, type Client } from "@greco/sdk";
import { createLog, systemClock, systemIds } from "@greco/service-kit";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const { signal } = new AbortController();
const model = modelId("m");
const stack = new AsyncDisposableStack();
let stores: Stores;
let registry: Client<typeof RegistryService>;
let commit: Client<typeof CommitService>;
const conductors: RunningConductor[] = [];

const until = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: 20_000, interval: 10 });

beforeAll(async () => {
  const dir = stack.use(temporaryFolder("conductors")).path;
  const log = createLog({ service: "test", level: process.env["LOG"] === "1" ? "debug" : "silent" });
  const basics = { clock: systemClock, ids: systemIds, log };
  stores = await openStores(dir, systemClock, stack, signal);
  const identities = await createIdentities(dir, stores.cp, systemClock, log);
  const { authority } = identities;
  const listen = { host: "127.0.0.1", port: 0 };
  const client = <S extends Parameters<typeof createClient>[0]>(service: S, address: string, token: string) =>
    stack.use(createClient(service, { address, token, deadlineMs: 10_000 })) as Client<S>;
  const registryApp = stack.use(
    await startRegistry({ ...basics, store: stores.cp, authority }, { listen }, signal),
  );
  const coordinatorApp = stack.use(
    await startCoordinator(
      {
        ...{ ...basics, authority, store: stores.cp, controlLog: stores.controlLog },
        ...{ laneStore: stores.lanes, wake: stores.wake },
        registry: client(RegistryService, registryApp.address, identities.control),
      },
      { listen },
      signal,
    ),
  );
  const starts = {
    "conductor-streams": startConductorStreams,
    "conductor-tables": startConductorTables,
    "conductor-worker": startConductorWorker,
  };
  for (const [name, start] of Object.entries(starts)) {
    const token = await identities.conductor(name);
    const parts = {
      ...{ ...basics, controlLog: stores.controlLog, laneStore: stores.lanes, wake: stores.wake },
      bindingStore: stores.bindings,
      coordinator: client(ConductorService, coordinatorApp.address, token),
      registry: client(RegistryService, registryApp.address, token),
    };
    const limits = { backoffMinMs: 5, retireMs: 50, writerLeaseMs: 50 };
    conductors.push(stack.use(await start(parts, { limits }, signal)));
  }
  const as = (person: Person): string => identities.people[person];
  registry = client(RegistryService, registryApp.address, as("admin"));
  commit = client(CommitService, coordinatorApp.address, as("admin"));
  await registry.createModel({ modelId: model }, { signal });
  const conductorsOf = client(ConductorService, coordinatorApp.address, as("admin"));
  await until(async () => {
    const { conductors: all } = await conductorsOf.listConductors({ model: `models/${model}` }, { signal });
    expect(all.map((each) => each.name).toSorted()).toEqual(
      Object.keys(starts).map((name) => `conductors/${name}`),
    );
  });
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Drafts the changes (undefined: delete) and returns the draft's name. */
async function draft(draftId: string, changes: Readonly<Record<string, unknown>>): Promise<string> {
  const parent = `models/${model}`;
  const { name, etag } = await registry.createDraft({ parent, draftId }, { signal });
  const lines = Object.entries(changes).map(([entity, spec]) => ({
    entity: `models/${model}/entities/${entity}`,
    action:
      spec === undefined
        ? ({ case: "delete", value: true } as const)
        : ({ case: "putSpecJson", value: JSON.stringify(spec) } as const),
  }));
  await registry.editDraft({ name, etag, changes: lines }, { signal });
  return name;
}

async function madeSo(draftId: string, changes: Readonly<Record<string, unknown>>): Promise<Proposal> {
  const name = await draft(draftId, changes);
  const { etag } = await registry.getDraft({ name }, { signal });
  const made = await commit.makeItSo({ draft: name, etag, reason: "test" }, { signal });
  return await until(async () => {
    const proposal = await commit.getProposal({ name: made.name }, { signal });
    expect(proposal.phase).toBe(Phase.SETTLED);
    return proposal;
  });
}

const flights = {
  schema: {
    type: "object",
    required: ["delay"],
    properties: { delay: { type: "integer" }, origin: { type: "string" } },
  },
  key: "origin",
};
const paid = { schema: { type: "object", required: ["euros"], properties: { euros: { type: "number" } } } };
const bands = {
  key: "band",
  schema: { type: "object", properties: { band: { type: "string" }, euros: { type: "number" } } },
  rows: [{ band: "far", euros: 600 }],
};
const late = {
  from: "flights",
  to: "paid",
  tables: ["bands"],
  where: "event.delay >= 180",
  select: { euros: 'tables.bands["far"].euros' },
};

describe("three conductors behind the real control plane", () => {
  it("commit a model: every binding is in the data plane, named with its hash by the ledger", async () => {
    const proposal = await madeSo("d1", {
      "stream/flights": flights,
      "stream/paid": paid,
      "table/bands": bands,
      "query/late": late,
    });
    expect([proposal.committed, proposal.version, proposal.message]).toEqual([true, 1n, expect.any(String)]);
    const [entry] = await stores.lanes.readLedger(model, epoch(0), 10, signal);
    expect(entry?.bindings.map((each) => each.entity).toSorted()).toEqual([
      "query/late@1",
      "stream/flights@1",
      "stream/paid@1",
      "table/bands@1",
    ]);
    for (const named of entry?.bindings ?? []) {
      if (named.removed) throw new Error(`${named.entity} is removed`);
      const binding = await stores.bindings.getBinding(model, named.entity, named.candidate, signal);
      expect(binding?.hash).toBe(named.hash);
    }
  });

  it("plan without effect, and say what is wrong before anybody proposes it", async () => {
    const wrong = await draft("d2", { "query/late": { ...late, where: "event.dealy >= 120" } });
    const parts = [];
    for await (const part of commit.plan({ draft: wrong }, { signal })) parts.push(part.part);
    const findings = parts.flatMap((part) => (part.case === "conductor" ? part.value.findings : []));
    expect(findings).toMatchObject([
      {
        entity: "models/m/entities/query/late",
        fieldPath: "where",
        column: 7,
        reason: "UNKNOWN_FIELD",
        remedy: "did you mean delay?",
      },
    ]);
  });

  it("veto a stream's change that breaks a query, and leave nothing of the candidate", async () => {
    const broken = { ...flights, schema: { type: "object", properties: { origin: { type: "string" } } } };
    const proposal = await madeSo("d3", { "stream/flights": broken });
    expect([proposal.committed, proposal.abortCause]).toEqual([false, AbortCause.VETOED]);
    const findings = proposal.voters.flatMap((voter) => voter.findings);
    expect(findings).toMatchObject([
      { entity: "models/m/entities/query/late", fieldPath: "where", reason: "UNKNOWN_FIELD" },
    ]);
    expect(findings[0]?.message).toContain("as stream/flights would be");
    const rows = await stores.bindings.listCandidates(model, signal);
    expect(rows).toHaveLength(1);
  });

  it("publish what differs alone: a table's new rows leave its query's binding as it is", async () => {
    const proposal = await madeSo("d4", { "table/bands": { ...bands, rows: [{ band: "far", euros: 700 }] } });
    expect([proposal.committed, proposal.version]).toEqual([true, 2n]);
    const [entry] = await stores.lanes.readLedger(model, epoch(1), 10, signal);
    expect(entry?.bindings.map((each) => each.entity)).toEqual(["table/bands@1"]);
    expect(entry?.scope.toSorted()).toEqual(expect.arrayContaining(["stream/flights@1", "stream/paid@1"]));
  });

  it("remove what a deleted query had, by the ledger, and retire it where no lane needs it", async () => {
    const proposal = await madeSo("d5", { "query/late": undefined });
    expect([proposal.committed, proposal.version]).toEqual([true, 3n]);
    const [entry] = await stores.lanes.readLedger(model, epoch(2), 10, signal);
    expect(entry?.bindings).toEqual([{ entity: "query/late@1", removed: true }]);
    const [first] = await stores.lanes.readLedger(model, epoch(0), 1, signal);
    await until(async () => {
      const left = await stores.bindings.listBindings(
        model,
        first?.candidate ?? (proposal.candidate as never),
        signal,
      );
      expect(left.map((each) => each.entity)).toEqual(["stream/flights@1", "stream/paid@1"]);
    });
  });

  it("follow the chain: all views stand at the head", () => {
    const views = conductors.map((each) => each.status().get(model)?.viewVersion);
    expect(views).toEqual([3, 3, 3]);
  });

  it("make a query again: it is another entity, with a program of its own", async () => {
    const proposal = await madeSo("d6", {
      "query/late": { from: "flights", to: "paid", handler: "export const handle = (e) => ({ euros: 1 })" },
    });
    expect(proposal.version).toBe(4n);
    const [entry] = await stores.lanes.readLedger(model, epoch(3), 10, signal);
    const [named] = entry?.bindings ?? [];
    if (named === undefined || named.removed) throw new Error("no binding");
    expect(named.entity).toBe("query/late@4");
    const binding = await stores.bindings.getBinding(model, named.entity, named.candidate, signal);
    const content = JSON.parse(binding?.content ?? "") as QueryContent;
    expect(content).toMatchObject({
      from: "flights",
      to: "paid",
      timeoutMs: 1000,
      schemas: { from: {}, tables: {} },
    });
  });
});
