/** The example configuration of deploy/nats, on a server that is started with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreUnavailableError, type ControlLog } from "@greco/ports";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../../../tools/servers/cache.ts";
import type { Cluster } from "../../../../tools/servers/engine.ts";
import { nats, startNats } from "../../../../tools/servers/nats.ts";
import { openJetStreamControlLog } from "./control-log.ts";
import { clock, hinted, noAbort, silent } from "./testing/setup.ts";
import { openNatsWake } from "./wake.ts";

const USERS = ["coordinator", "conductor", "ingress", "runtime"] as const;
type User = (typeof USERS)[number];
const passwordOf = (user: User): string => `secret-of-${user}`;

let folder: string;
let cluster: Cluster;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "greco-permissions-"));
  const options = { cache: cacheFolder(), say: () => undefined, signal: noAbort };
  await nats.install(options);
  cluster = await startNats({
    ...options,
    folder,
    nodes: 1,
    config: join(import.meta.dirname, "../../../../deploy/nats/nats.conf"),
    env: Object.fromEntries(USERS.map((user) => [`GRECO_NATS_${user.toUpperCase()}`, passwordOf(user)])),
  });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const optionsOf = (user: User) => ({
  servers: cluster.addresses,
  clock,
  log: silent,
  credentials: { user, password: passwordOf(user) },
});
const controlLogOf = (user: User): Promise<ControlLog> =>
  openJetStreamControlLog({ ...optionsOf(user), makesStream: user === "coordinator" }, noAbort);

/** A client that does not keep to the adapter. */
const rawly = (user: User): Promise<NatsConnection> =>
  connect({
    servers: [...cluster.addresses],
    user,
    pass: passwordOf(user),
    inboxPrefix: `_INBOX_${user}`,
    timeout: 5_000,
  });

/** What the server refuses of what `act` asks, in words. */
async function refusalsOf(user: User, act: (connection: NatsConnection) => void): Promise<string[]> {
  const connection = await rawly(user);
  const refusals: string[] = [];
  const watching = (async () => {
    for await (const status of connection.status())
      if (status.type === "error") refusals.push(status.error.message);
  })();
  act(connection);
  // Refusals come in order, before the answer to a ping.
  await connection.flush();
  await connection.close();
  await watching;
  return refusals;
}

const ignore = { callback: () => undefined };

describe("who may what (deploy/nats/nats.conf)", () => {
  it("lets the coordinator publish and conductors read, who wait until it has made the stream", async () => {
    await using conductor = await controlLogOf("conductor");
    const stop = new AbortController();
    const next = conductor.subscribe("flights", 0, stop.signal)[Symbol.asyncIterator]().next();
    await using coordinator = await controlLogOf("coordinator");
    await coordinator.publish("flights", "1", Buffer.from("command"), noAbort);
    const { value } = await next;
    expect(Buffer.from(value?.payload ?? []).toString()).toBe("command");
    stop.abort(new Error("read"));
  });

  it("says to a conductor that publishes which permission it lacks, and publishes nothing", async () => {
    await using coordinator = await controlLogOf("coordinator");
    await using conductor = await controlLogOf("conductor");
    await coordinator.publish("forged", "0", Buffer.from("first"), noAbort);
    const refused = conductor.publish("forged", "1", Buffer.from("forged"), noAbort);
    await expect(refused).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(refused).rejects.toThrow(/greco\.control\.forged.*refuses.*deploy\/nats/s);
    await coordinator.publish("forged", "2", Buffer.from("last"), noAbort);
    const read: string[] = [];
    for await (const { payload } of conductor.subscribe("forged", 0, noAbort)) {
      read.push(Buffer.from(payload).toString());
      if (read.at(-1) === "last") break;
    }
    expect(read).toEqual(["first", "last"]);
  });

  it.each(["ingress", "runtime"] as const)(
    "I10: refuses %s everything of the control log: its subjects, its stream, others' replies",
    async (user) => {
      const refusals = await refusalsOf(user, (connection) => {
        connection.publish("greco.control.flights", "forged");
        connection.publish("$JS.API.STREAM.INFO.greco-control");
        connection.publish("$JS.API.STREAM.DELETE.greco-control");
        connection.publish("$JS.API.CONSUMER.CREATE.greco-control.mine.greco.control.flights");
        connection.subscribe("greco.control.*", ignore);
        connection.subscribe("_INBOX_conductor.>", ignore);
        connection.subscribe("_INBOX_coordinator.>", ignore);
        connection.subscribe(">", ignore);
      });
      expect(refusals.length).toBe(8);
      expect(refusals.every((refusal) => /permissions violation/i.test(refusal))).toBe(true);
    },
  );

  it("I10: leaves the stream as it is when a runtime tries", async () => {
    await using controlLog = await controlLogOf("coordinator");
    await controlLog.publish("flights", "here", Buffer.from("command"), noAbort);
    const coordinator = await rawly("coordinator");
    const runtime = await rawly("runtime");
    const manager = await jetstreamManager(coordinator, { checkAPI: false });
    const before = (await manager.streams.info("greco-control")).state.messages;
    runtime.publish("greco.control.flights", "forged");
    await runtime.flush();
    expect((await manager.streams.info("greco-control")).state.messages).toBe(before);
    await Promise.all([runtime.close(), coordinator.close()]);
  });

  it("lets everybody wake everybody", async () => {
    for (const [from, to] of [
      ["ingress", "runtime"],
      ["runtime", "conductor"],
      ["coordinator", "ingress"],
    ] as const) {
      await using one = await openNatsWake(optionsOf(from), noAbort);
      await using other = await openNatsWake(optionsOf(to), noAbort);
      await hinted(one, other, "lane.a");
    }
  });

  it("refuses a wrong password, goes on trying, and says so", async () => {
    const wrong = { ...optionsOf("coordinator"), credentials: { user: "coordinator", password: "guessed" } };
    const said: string[] = [];
    const log = { ...silent, warn: (event: string) => void said.push(event) };
    await using controlLog = await openJetStreamControlLog({ ...wrong, log }, noAbort);
    expect(said).toContain("nats.unreachable");
    const giveUp = new AbortController();
    const publishing = controlLog.publish("flights", "1", Buffer.from("never"), giveUp.signal);
    giveUp.abort(new Error("given up"));
    await expect(publishing).rejects.toThrow("given up");
  });
});
