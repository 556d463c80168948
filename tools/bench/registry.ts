// A registry with a model of any size, behind a real socket, on the embedded store in a temporary folder.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedCpStore } from "@greco/adapter-embedded";
import { startRegistry, type RunningRegistry } from "@greco/app-registry";
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import { roleOf } from "@greco/control-kit";
import { createClient, type Client } from "@greco/sdk";
import { createAuthority, createLog, systemClock, systemIds, type Caller } from "@greco/service-kit";

export type RegistryClient = Client<typeof RegistryService>;

export type BenchClients = { readonly person: RegistryClient; readonly control: RegistryClient };
export type BenchRegistry = AsyncDisposable &
  BenchClients & { readonly running: RunningRegistry; idle(): Promise<void> };

const CALL_CHANGES = 5_000;

/** `dir`: goes on with what is there; absent: a folder of its own, removed at the end. */
export async function openBenchRegistry(signal: AbortSignal, dir?: string): Promise<BenchRegistry> {
  await using stack = new AsyncDisposableStack();
  const folder = dir ?? (await mkdtemp(join(tmpdir(), "greco-bench-")));
  if (dir === undefined) stack.defer(() => rm(folder, { recursive: true, force: true }));
  const store = stack.use(
    await openEmbeddedCpStore({ path: join(folder, "control.sqlite"), clock: systemClock }, signal),
  );
  const verify = (token: string): Caller =>
    token === "control" ? { subject: token, service: { kind: "control", name: token } } : { subject: token };
  const authority = createAuthority({
    tokens: { verify },
    roleOf: (model, subject, each) => roleOf(store, model, subject, each),
  });
  const log = createLog({ service: "registry", level: "warn" });
  const running = stack.use(
    await startRegistry(
      { store, clock: systemClock, ids: systemIds, log, authority },
      { listen: { host: "127.0.0.1", port: 0 } },
      signal,
    ),
  );
  const clients = stack.use(benchClients(running.address));
  const owned = stack.move();
  return {
    ...clients,
    running,
    idle: () => running.idle(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function benchClients(address: string): BenchClients & AsyncDisposable {
  const stack = new AsyncDisposableStack();
  const client = (token: string) => stack.use(createClient(RegistryService, { address, token }));
  return {
    person: client("person"),
    control: client("control"),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/**
 * Entity `index` of a model of pipelines, ten entities each: two streams, and eight queries from the one to the other.
 * What a change reaches is therefore the same in a model of any size.
 */
export function entityOf(index: number, round = 0): { key: string; specJson: string } {
  const own = index - (index % 10);
  if (index - own < 2) {
    const properties = {
      delay: { type: "number" },
      origin: { type: "string", description: `field ${index} ${round}` },
    };
    return { key: `stream/s${index}`, specJson: JSON.stringify({ schema: { type: "object", properties } }) };
  }
  const select = {
    origin: "event.origin",
    delay: `event.delay * ${index}.0 + ${round}.0`,
    late: "event.delay > 180.0",
  };
  const spec = { from: `s${own}`, to: `s${own + 1}`, where: "event.delay > 0.0", select };
  return { key: `query/q${index}`, specJson: JSON.stringify(spec) };
}

export const change = (model: string, { key, specJson }: { key: string; specJson: string }) => ({
  entity: `models/${model}/entities/${key}`,
  action: { case: "putSpecJson", value: specJson } as const,
});

type Draft = { readonly name: string; readonly etag: string };

/** A draft with these changes, in as many calls as gRPC's limit needs. */
export async function editDraft(
  person: RegistryClient,
  model: string,
  draftId: string,
  entities: readonly { key: string; specJson: string }[],
  signal: AbortSignal,
): Promise<Draft> {
  const { name, etag: first } = await person.createDraft({ parent: `models/${model}`, draftId }, { signal });
  let etag = first;
  for (let at = 0; at < entities.length; at += CALL_CHANGES) {
    const changes = entities.slice(at, at + CALL_CHANGES).map((each) => change(model, each));
    const { draft } = await person.editDraft({ name, etag, changes }, { signal });
    etag = draft?.etag ?? "";
  }
  return { name, etag };
}

/** Freeze and promote. */
export async function commitDraft(
  control: RegistryClient,
  model: string,
  draft: Draft,
  signal: AbortSignal,
): Promise<void> {
  const parent = `models/${model}`;
  const { candidate } = await control.freeze(
    {
      parent,
      source: { case: "draft", value: draft.name },
      etag: draft.etag,
      actor: "person",
      proposalId: systemIds.next(),
      proposalRecord: new Uint8Array(512),
    },
    { signal },
  );
  if (candidate === undefined) throw new Error("a freeze without a candidate");
  const decision = await control.promote(
    { parent, candidate: candidate.id, digest: candidate.digest, actor: "person" },
    { signal },
  );
  if (!decision.decidedNow) throw new Error(`not promoted: ${decision.refused}`);
}

export async function loadModel(
  registry: BenchClients & { idle(): Promise<void> },
  model: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  await registry.person.createModel({ modelId: model }, { signal });
  const entities = Array.from({ length: count }, (_, index) => entityOf(index));
  await commitDraft(
    registry.control,
    model,
    await editDraft(registry.person, model, "load", entities, signal),
    signal,
  );
  const name = `models/${model}/drafts/load`;
  const { etag } = await registry.person.getDraft({ name }, { signal });
  await registry.person.discardDraft({ name, etag }, { signal });
  await registry.idle();
}
