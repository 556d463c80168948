/**
 * B-wipe: NATS is killed and all that it kept is removed, in the middle of a commit, at each thing that conductors are
 * told. The truth is in the CP store, so the commit ends after NATS is back: what was lost is announced again, and
 * nobody is deaf for having read further once than there is now.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJetStreamControlLog, openNatsWake } from "@greco/adapter-nats";
import { Phase, type Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { startDev, type Dev } from "@greco/dev";
import type { EntityFile } from "@greco/entity-files";
import type { ControlLog, LogMessage } from "@greco/ports";
import { createLog, systemClock } from "@greco/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cluster, ServerNode } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { Story, until } from "../story.ts";
import { MODEL, PARENT, scaling, stream } from "./world.ts";

/** Far beyond what a commit takes with an outage in it; below the deadline of any of its phases. */
const COMMIT_MS = 50_000;
const START_MS = 60_000;
const CONDUCTORS = 3;
const FIELDS = { n: { type: "number" }, by: { type: "string" } };

/** What is announced in a commit that has something to prepare; what is told once, and again until it is answered. */
const TOLD = ["review", "prepare", "committed", "settle"] as const;
type Told = (typeof TOLD)[number];
/** Before NATS has it; when NATS has it, and nobody has read it yet; or when some may have read it. */
const MOMENTS = ["before it is there", "before it is read", "while it is read"] as const;
type Moment = (typeof MOMENTS)[number];

const kindOf = (messageId: string): string | undefined => messageId.split(".")[1];

/** NATS, and when it goes down next. */
class Outage {
  readonly #node: ServerNode;
  #due: { readonly told: Told; readonly moment: Moment } | undefined;
  #ended: Promise<void> | undefined;
  #missed = Promise.withResolvers<void>();
  #unread = false;

  constructor(node: ServerNode) {
    this.#node = node;
  }

  plan(told: Told, moment: Moment): void {
    this.#due = { told, moment };
    this.#ended = undefined;
  }

  /** Resolves once it was down and is back, at the latest now; rejects if what it was planned for was never told. */
  async ended(): Promise<void> {
    if (this.#ended === undefined) throw new Error(`${this.#due?.told} was never told`);
    this.#missed.resolve();
    await this.#ended;
  }

  /** The control log as the coordinator uses it, with the outage at the planned moment. */
  around(log: ControlLog): ControlLog {
    return {
      publish: async (model, messageId, payload, signal) => {
        const due = this.#due?.told === kindOf(messageId) ? this.#due : undefined;
        if (due !== undefined) this.#due = undefined;
        if (due === undefined) this.#missed.resolve();
        if (due?.moment === "before it is there") await this.#begin();
        if (due?.moment === "before it is read") this.#unread = true;
        await log.publish(model, messageId, payload, signal);
        if (due !== undefined && due.moment !== "before it is there") await this.#begin();
      },
      subscribe: (model, after, signal) => this.#read(log.subscribe(model, after, signal)),
      [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
    };
  }

  /** What comes faster than NATS can be killed has come to nobody. */
  async *#read(messages: AsyncIterable<LogMessage>): AsyncGenerator<LogMessage, void, undefined> {
    for await (const message of messages) if (!this.#unread) yield message;
  }

  /** Resolves when it is down and empty. It is back as soon as the coordinator has something to tell meanwhile. */
  #begin(): Promise<void> {
    this.#missed = Promise.withResolvers();
    const down = this.#node
      .kill("SIGKILL")
      .then(() => this.#node.wipe())
      .finally(() => (this.#unread = false));
    const missed = this.#missed.promise;
    this.#ended = down.then(() => missed).then(() => this.#node.start(AbortSignal.timeout(START_MS)));
    return down;
  }
}

let folder: string;
let cluster: Cluster;
let outage: Outage;
let running: AsyncDisposableStack;
let dev: Dev;
let drafts = 0;

function nodeOf({ nodes: [node] }: Cluster): ServerNode {
  if (node === undefined) throw new Error("a cluster has a node");
  return node;
}

async function start(): Promise<void> {
  const signal = AbortSignal.timeout(START_MS);
  await using starting = new AsyncDisposableStack();
  const options = {
    servers: cluster.addresses,
    clock: systemClock,
    log: createLog({ service: "nats", level: "silent" }),
  };
  const controlLog = starting.use(await openJetStreamControlLog(options, signal));
  const wake = starting.use(await openNatsWake(options, signal));
  const stores = { controlLog: outage.around(controlLog), wake };
  dev = starting.use(await startDev({ dataDir: folder, logLevel: "error", stores }, signal));
  running = starting.move();
}

const story = (person: "admin" | "editor" | "releaser"): Story => new Story(dev.clients(person), MODEL);

async function head(): Promise<bigint> {
  const asked = { signal: AbortSignal.timeout(START_MS) };
  return (await dev.clients("admin").registry.getModel({ name: PARENT }, asked)).headVersion;
}

/** Settled: every voter has confirmed the outcome. */
async function commit(entities: readonly EntityFile[]): Promise<Proposal> {
  const signal = AbortSignal.timeout(COMMIT_MS);
  drafts += 1;
  const { name, etag } = await story("editor").draft(`draft-${drafts}`, entities, false, signal);
  const made = await story("releaser").makeItSo(name, etag, "a test", signal);
  return until(async () => {
    const now = await dev.clients("releaser").commit.getProposal({ name: made.name }, { signal });
    return now.phase === Phase.SETTLED ? now : undefined;
  }, signal);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "greco-wipe-"));
  cluster = await servers.nats({ own: true }, AbortSignal.timeout(10 * START_MS));
  outage = new Outage(nodeOf(cluster));
  await start();
  await story("admin").begin("wiped", CONDUCTORS, AbortSignal.timeout(START_MS));
  const first = await commit([stream("a", FIELDS), stream("b", FIELDS), scaling("q", "a", "b", 1)]);
  expect(first.version).toBe(1n);
});
afterAll(async () => {
  await running[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const outages = TOLD.flatMap((told) => MOMENTS.map((moment) => [told, moment] as const));

it.each(outages)("I2, I11: commits though NATS is wiped when %s is told, %s", async (told, moment) => {
  const headVersion = await head();
  outage.plan(told, moment);
  const proposal = await commit([scaling("q", "a", "b", Number(headVersion) + 1)]);
  await outage.ended();
  expect([proposal.committed, proposal.version]).toEqual([true, headVersion + 1n]);
});

it("I11: commits after a wipe between two runs, with what conductors keep of positions from before it", async () => {
  const headVersion = await head();
  await running[Symbol.asyncDispose]();
  const node = nodeOf(cluster);
  await node.kill("SIGKILL");
  await node.wipe();
  await node.start(AbortSignal.timeout(START_MS));
  await start();
  const proposal = await commit([scaling("q", "a", "b", Number(headVersion) + 1)]);
  expect([proposal.committed, proposal.version]).toEqual([true, headVersion + 1n]);
});
