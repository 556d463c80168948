/** A prefix of its own in a shared server for each test; on a real engine, time passes by itself. For tests only. */
import type { Clock, Log, Wake } from "@greco/ports";
import type { ServerSetup, Setup } from "@greco/ports/testing";
import { createLog, systemClock, systemIds } from "@greco/service-kit";
import type { Cluster, ServerNode } from "../../../../../tools/servers/engine.ts";
import type { NatsOptions } from "../link.ts";
import { startProxy } from "./proxy.ts";

export const silent: Log = createLog({ service: "test", level: "silent" });
export const clock: Clock = systemClock;

/** Matches no other test's: subjects and streams of one server are kept apart by it. */
export const freshPrefix = (): string => `t${systemIds.next().replaceAll("-", "").slice(-24)}`;

export function natsSetup<Store extends AsyncDisposable>(
  serversOf: () => readonly string[],
  open: (options: NatsOptions, signal: AbortSignal) => Promise<Store>,
): Setup<Store> {
  return async () => {
    const streamPrefix = freshPrefix();
    const options = { servers: serversOf(), clock, log: silent, streamPrefix };
    const { signal } = new AbortController();
    return {
      open: () => open(options, signal),
      pass: (ms) => clock.sleep(ms, signal),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}

export const noAbort: AbortSignal = new AbortController().signal;

export function firstOf({ nodes: [node] }: Cluster): ServerNode {
  if (node === undefined) throw new Error("a cluster has a node");
  return node;
}

/** A server of its own for each test, reached through a proxy. */
export function ownServerSetup<Store extends AsyncDisposable>(
  startServer: () => Promise<Cluster>,
  open: (options: NatsOptions, signal: AbortSignal) => Promise<Store>,
): ServerSetup<Store> {
  return async () => {
    await using starting = new AsyncDisposableStack();
    const node = firstOf(starting.use(await startServer()));
    const proxy = starting.use(await startProxy(node.address));
    const options = { servers: [proxy.address], clock, log: silent, streamPrefix: "greco" };
    const owned = starting.move();
    return {
      open: () => open(options, noAbort),
      pass: (ms) => clock.sleep(ms, noAbort),
      stop: () => node.kill("SIGKILL"),
      start: () => node.start(noAbort),
      wipe: () => node.wipe(),
      cut: () => proxy.cut(),
      freeze: () => proxy.freeze(),
      thaw: () => proxy.thaw(),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  };
}

/** Resolves when a hint that `one` gives has reached `other`. Given again and again, since one may be lost. */
export async function hinted(one: Wake, other: Wake, topic: string): Promise<void> {
  const heard = new AbortController();
  const stop = other.listen(topic, () => heard.abort(new Error("heard")));
  try {
    while (!heard.signal.aborted) {
      one.notify(topic);
      await clock.sleep(5, heard.signal).catch(() => undefined);
    }
  } finally {
    stop();
  }
}
