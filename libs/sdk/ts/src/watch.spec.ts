import { CommitService, Phase, type WatchProposalResponse } from "@greco/contracts/greco/commit/v1/commit";
import { IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import { createLog, fault, serve, type Handlers, type Server } from "@greco/service-kit";
import { implementPartly, trustingAuthority } from "@greco/service-kit/testing";
import { expect, it } from "vitest";
import { createClient } from "./client.ts";
import { never as signal, serveIngress, type IngressHandlers } from "./testing/ingress-server.ts";
import { followStream, watchProposal } from "./watch.ts";

const backoff = { initialMs: 1, maxMs: 20 };

function serveCommit(handlers: Partial<Handlers<typeof CommitService>>): Promise<Server> {
  return serve(
    {
      services: [implementPartly(CommitService, handlers)],
      listen: { host: "127.0.0.1", port: 0 },
      authority: trustingAuthority(),
      log: createLog({ service: "test", level: "silent" }),
    },
    signal,
  );
}

it("watches a proposal until it is settled, behind what it has seen, whatever interrupts it", async () => {
  const history = [Phase.QUEUED, Phase.PROPOSED, Phase.COMMITTED, Phase.SETTLED].map((phase, i) => ({
    revision: BigInt(i + 10),
    proposal: { phase },
  }));
  const asked: bigint[] = [];
  await using server = await serveCommit({
    watchProposal: async function* ({ fromRevision }) {
      asked.push(fromRevision);
      const rest = history.filter(({ revision }) => revision > fromRevision);
      yield* rest.slice(0, 1);
      if (rest.length > 1)
        yield { revision: rest[0]?.revision ?? 0n } satisfies Partial<WatchProposalResponse>;
      if (rest.length > 1) throw fault.unavailable("SERVICE_STOPPING", "stops");
    },
  });
  await using client = createClient(CommitService, { address: server.address });
  const interruptions: string[] = [];
  const phases: Phase[] = [];
  const options = {
    signal,
    backoff,
    onInterrupted: (error: { reason: string }) => interruptions.push(error.reason),
  };
  for await (const { phase } of watchProposal(client, "models/m/proposals/p", options)) phases.push(phase);
  expect(phases).toEqual([Phase.QUEUED, Phase.PROPOSED, Phase.COMMITTED, Phase.SETTLED]);
  expect(asked).toEqual([0n, 10n, 11n, 12n]);
  expect(interruptions).toEqual(Array.from({ length: 3 }, () => "SERVICE_STOPPING"));
});

it("does not wait for what does not pass by itself", async () => {
  await using server = await serveCommit({
    watchProposal: async function* () {
      throw fault.outOfRange("REVISION_COMPACTED", "list again");
    },
  });
  await using client = createClient(CommitService, { address: server.address });
  const watch = watchProposal(client, "models/m/proposals/p", { signal, backoff });
  await expect(watch.next()).rejects.toMatchObject({ code: "OUT_OF_RANGE", reason: "REVISION_COMPACTED" });
});

it("ends with the signal's reason while it waits for a service that is gone", async () => {
  const server = await serveCommit({});
  await server[Symbol.asyncDispose]();
  await using client = createClient(CommitService, { address: server.address });
  const controller = new AbortController();
  const watch = watchProposal(client, "models/m/proposals/p", {
    signal: controller.signal,
    backoff,
    onInterrupted: () => controller.abort(new Error("enough")),
  });
  await expect(watch.next()).rejects.toThrow("enough");
});

it("follows a stream across restarts of its ingress, each entry of each lane once and in order", async () => {
  const lanes = { a: 30n, b: 50n };
  let opened = 0;
  const handlers: IngressHandlers = {
    subscribe: async function* ({ start }) {
      opened += 1;
      const positions = start.case === "positions" ? start.value.positions : [];
      const next = new Map(Object.keys(lanes).map((lane) => [lane, 1n]));
      for (const { lane, seq } of positions) next.set(lane, seq + 1n);
      for (let sent = 0; sent < (opened < 6 ? 8 : 1_000); sent += 1) {
        const [lane, seq] = [...next].find(([name, at]) => at <= lanes[name as keyof typeof lanes]) ?? [];
        if (lane === undefined || seq === undefined) return;
        next.set(lane, seq + 1n);
        yield { entries: [{ position: { lane, seq } }] };
      }
      throw fault.unavailable("SERVICE_STOPPING", "stops");
    },
  };
  await using server = await serveIngress(handlers);
  await using client = createClient(IngressService, { address: server.address });
  const seen: Record<string, bigint[]> = { a: [], b: [] };
  for await (const { position } of followStream(client, "models/m/streams/s", {
    signal,
    backoff,
    bounded: true,
  }))
    if (position !== undefined) seen[position.lane]?.push(position.seq);
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => BigInt(i + 1));
  expect(seen).toEqual({ a: upTo(30), b: upTo(50) });
  expect(opened).toBe(6);
});
