/** What JetStream does that no other control log does: consumers that vanish, streams that are made anew, leaders. */
import { type ControlLog, type LogMessage, StoreLimitError } from "@greco/ports";
import { jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../../../tools/servers/cache.ts";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { servers } from "../../../../tools/servers/for-tests.ts";
import { startNats } from "../../../../tools/servers/nats.ts";
import { openJetStreamControlLog } from "./control-log.ts";
import { clock, freshPrefix, noAbort, silent } from "./testing/setup.ts";

const REPLICAS = 3;
/** Far beyond what any of these takes; who hears nothing by then is deaf. */
const HEARD_MS = 30_000;

let shared: Cluster;
beforeAll(async () => {
  shared = await servers.nats({}, noAbort);
});
afterAll(() => shared[Symbol.asyncDispose]());

type World = AsyncDisposable & {
  readonly log: ControlLog;
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Reads on until a message with this text comes; tells all that came. */
  read(end: string): Promise<LogMessage[]>;
  publish(text: string): Promise<void>;
};

const textOf = ({ payload }: LogMessage): string => Buffer.from(payload).toString();

/** A log, one who reads from it, and one who meddles. */
async function world(after = 0, prefix = freshPrefix()): Promise<World> {
  await using starting = new AsyncDisposableStack();
  const options = { servers: shared.addresses, clock, log: silent, streamPrefix: prefix };
  const log = starting.use(await openJetStreamControlLog(options, noAbort));
  const connection = await connect({ servers: [...shared.addresses] });
  starting.defer(() => connection.close());
  const manager = await jetstreamManager(connection);
  const stop = new AbortController();
  const bounded = AbortSignal.any([stop.signal, AbortSignal.timeout(HEARD_MS)]);
  const messages = log.subscribe("m", after, bounded)[Symbol.asyncIterator]();
  starting.defer(() => stop.abort(new Error("the test is over")));
  const owned = starting.move();
  let published = 0;
  return {
    log,
    manager,
    stream: `${prefix}-control`,
    async read(end) {
      const seen: LogMessage[] = [];
      while (seen.length === 0 || textOf(seen.at(-1) as LogMessage) !== end) {
        const { value, done } = await messages.next();
        if (done === true) throw new Error("the subscription ended");
        seen.push(value);
      }
      return seen;
    },
    publish: (text) => log.publish("m", `${(published += 1)}`, Buffer.from(text), noAbort),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const consumerOf = async ({ manager, stream }: World): Promise<string> => {
  const [consumer] = await manager.consumers.list(stream).next();
  if (consumer === undefined) throw new Error("the subscription has a consumer");
  return consumer.name;
};

describe("a subscription makes its consumer again", () => {
  it("when it was deleted", async () => {
    await using w = await world();
    await w.publish("1");
    await w.read("1");
    await w.manager.consumers.delete(w.stream, await consumerOf(w));
    await w.publish("2");
    expect((await w.read("2")).map(textOf)).toEqual(["2"]);
  });

  it("when it is ahead: what it delivered to nobody is delivered", async () => {
    await using w = await world();
    await w.publish("1");
    await w.read("1");
    const name = await consumerOf(w);
    // Somebody else pulls: the server counts as delivered what this subscription never gets.
    const thief = await connect({ servers: [...shared.addresses] });
    const stolen = (await jetstream(thief).consumers.get(w.stream, name)).fetch({
      max_messages: 40,
      expires: 2_000,
    });
    const stealing = (async () => {
      let count = 0;
      for await (const _message of await stolen) if ((count += 1) === 20) break;
      return count;
    })();
    for (let turn = 2; turn <= 61; turn++) await w.publish(`${turn}`);
    const [seen, count] = await Promise.all([w.read("61"), stealing]);
    expect(count).toBeGreaterThan(0);
    expect(new Set(seen.map(textOf)).size).toBe(60);
    await thief.close();
  });
});

describe("a stream that is another one", () => {
  it("I11: is read from its start by who stands, though its positions are lower", async () => {
    await using w = await world();
    for (const text of ["1", "2", "3"]) await w.publish(text);
    await w.read("3");
    await w.manager.streams.delete(w.stream);
    // By a tool that knows nothing of clocks: positions begin at 1 again.
    const subjects = [w.stream.replace("-control", ".control.*")];
    await w.manager.streams.add({ name: w.stream, subjects });
    await w.publish("4");
    const [message] = await w.read("4");
    expect(message?.position).toBe(1);
  });

  it("I11: is read from its start by who comes with a position of the old one", async () => {
    const prefix = freshPrefix();
    await using old = await world(0, prefix);
    await old.publish("1");
    const [{ position } = { position: 0 }] = await old.read("1");
    await old.manager.streams.delete(old.stream);
    await old.manager.streams.add({ name: old.stream, subjects: [`${prefix}.control.*`] });
    await old.publish("2");
    await using restarted = await world(position, prefix);
    const [message] = await restarted.read("2");
    expect([message?.position, position > 1]).toEqual([1, true]);
  });

  it("has positions above those from before the wipe where Greco makes it", async () => {
    await using w = await world();
    await w.publish("1");
    const [before] = await w.read("1");
    await w.manager.streams.delete(w.stream);
    await w.publish("2");
    const [after] = await w.read("2");
    expect(after?.position).toBeGreaterThan(before?.position ?? Infinity);
  });

  it("takes new limits without losing what it holds", async () => {
    await using w = await world();
    await w.publish("1");
    await w.read("1");
    await w.manager.streams.update(w.stream, { max_msgs_per_subject: 5 });
    await using again = await world(0, w.stream.replace("-control", ""));
    expect((await again.read("1")).map(textOf)).toEqual(["1"]);
    const { config } = await w.manager.streams.info(w.stream);
    expect(config.max_msgs_per_subject).toBe(10_000);
  });
});

it("leaves nothing open, and no consumer for long", async () => {
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((each) => each === "TCPSocketWrap" || each === "Timeout").length;
  const before = sockets();
  const w = await world();
  await w.publish("1");
  await w.read("1");
  const info = await w.manager.consumers.info(w.stream, await consumerOf(w));
  expect(info.config.inactive_threshold).toBe(60_000_000_000);
  await w[Symbol.asyncDispose]();
  expect(sockets()).toBeLessThanOrEqual(before);
});

it("I15: says what to change where the server takes smaller messages than the log", async () => {
  const folder = await mkdtemp(join(tmpdir(), "greco-small-"));
  try {
    const config = join(folder, "small.conf");
    await writeFile(config, "max_payload: 64KB\njetstream { store_dir: $GRECO_NATS_STORE }\n");
    const options = { cache: cacheFolder(), say: () => undefined, signal: noAbort, folder, nodes: 1, config };
    await using cluster = await startNats(options);
    await using log = await openJetStreamControlLog(
      { servers: cluster.addresses, clock, log: silent },
      noAbort,
    );
    await log.publish("m", "1", new Uint8Array(10_000), noAbort);
    const refused = log.publish("m", "2", new Uint8Array(100_000), noAbort);
    await expect(refused).rejects.toBeInstanceOf(StoreLimitError);
    await expect(refused).rejects.toThrow(/65536 bytes.*raise its max_payload/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it("publishes through the death of the stream's leader, and loses nothing", async () => {
  await using cluster = await servers.nats({ nodes: 3, own: true }, noAbort);
  const options = { servers: cluster.addresses, clock, log: silent, replicas: REPLICAS };
  await using log = await openJetStreamControlLog(options, noAbort);
  const stop = new AbortController();
  const messages = log.subscribe("m", 0, stop.signal)[Symbol.asyncIterator]();
  await log.publish("m", "0", Buffer.from("0"), noAbort);
  const connection = await connect({ servers: [...cluster.addresses] });
  const manager = await jetstreamManager(connection);
  const { config, cluster: group } = await manager.streams.info("greco-control");
  expect(config.num_replicas).toBe(REPLICAS);
  await connection.close();
  const leader = cluster.nodes[Number(group?.leader?.slice(1)) - 1];
  await leader?.kill("SIGKILL");
  for (const id of ["1", "2", "3"]) await log.publish("m", id, Buffer.from(id), noAbort);
  await leader?.start(noAbort);
  const seen = new Set<string>();
  while (!seen.has("3")) {
    const { value, done } = await messages.next();
    if (done === true) throw new Error("the subscription ended");
    seen.add(textOf(value));
  }
  expect([...seen].toSorted()).toEqual(["0", "1", "2", "3"]);
  stop.abort(new Error("read"));
});
