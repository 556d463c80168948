/** The whole: what a changed query, table and stream leave behind goes when no message within retention needs it. */
import { join } from "node:path";
import { openEmbeddedBindingStore } from "@greco/adapter-embedded";
import { temporaryFolder } from "@greco/conductor-kit/testing";
import { Phase } from "@greco/contracts/greco/commit/v1/commit";
import { modelId, type CandidateId } from "@greco/domain/model";
import { systemClock } from "@greco/service-kit";
import { expect, it, vi } from "vitest";
import { startDev } from "./start-dev.ts";
import { makeItSo } from "./testing/make-it-so.ts";

const model = modelId("m");
const until = <T>(look: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(look, { timeout: 60_000, interval: 50 });

it("R9: retires what is replaced behind messages that came, went through and passed their retention", async () => {
  const { signal } = new AbortController();
  await using stack = new AsyncDisposableStack();
  const dataDir = stack.use(temporaryFolder("retire")).path;
  const dev = stack.use(
    await startDev({ dataDir, leaseMs: 300, logLevel: (process.env["LOG"] ?? "error") as never }, signal),
  );
  const path = join(dataDir, "bindings.sqlite");
  const bindings = stack.use(await openEmbeddedBindingStore({ path, clock: systemClock }));
  const { registry, commit, ingress } = dev.clients("admin");
  await registry.createModel({ modelId: model }, { signal });

  let drafts = 0;
  const madeSo = async (specs: Readonly<Record<string, unknown>>): Promise<string> => {
    const parent = `models/${model}`;
    drafts += 1;
    const name = await makeItSo({ registry, commit }, parent, `d${drafts}`, specs, signal);
    return await until(async () => {
      const proposal = await commit.getProposal({ name }, { signal });
      expect(proposal.phase).toBe(Phase.SETTLED);
      expect(proposal.committed, proposal.message).toBe(true);
      return proposal.candidate;
    });
  };
  const rows = async (candidate: string): Promise<readonly string[]> =>
    (await bindings.listBindings(model, candidate as CandidateId, signal)).map((row) => row.entity);
  let published = 0;
  const publish = async (): Promise<void> => {
    published += 1;
    const payload = new TextEncoder().encode(JSON.stringify({ delay: 200 + published }));
    await ingress.publish({ stream: `models/${model}/streams/flights`, message: { payload } }, { signal });
  };
  const stream = (more: object = {}) => ({
    schema: { type: "object", properties: { delay: { type: "integer" } } },
    lanes: 2,
    retention: "1s",
    ...more,
  });
  const paid = {
    schema: { type: "object", properties: { euros: { type: "number" } } },
    lanes: 1,
    retention: "1s",
  };
  const bands = (amount: number) => ({
    key: "band",
    schema: { type: "object", properties: { band: { type: "string" }, euros: { type: "number" } } },
    rows: [{ band: "far", euros: amount }],
  });
  const late = (least: number) => ({
    from: "flights",
    to: "paid",
    tables: ["bands"],
    where: `event.delay >= ${least}`,
    select: { euros: 'tables.bands["far"].euros' },
  });
  const first = await madeSo({
    "stream/flights": stream(),
    "stream/paid": paid,
    "table/bands": bands(600),
    "query/late": late(180),
  });
  for (let n = 0; n < 10; n++) await publish();
  const second = await madeSo({
    "stream/flights": stream({ key: "delay" }),
    "table/bands": bands(700),
    "query/late": late(120),
  });
  expect(await rows(first)).toEqual(["query/late@1", "stream/flights@1", "stream/paid@1", "table/bands@1"]);
  for (let n = 0; n < 10; n++) await publish();
  await until(async () => expect(await rows(first)).toEqual(["stream/paid@1"]));
  expect(await rows(second)).toEqual(["query/late@1", "stream/flights@1", "table/bands@1"]);
  await publish();
}, 120_000);
