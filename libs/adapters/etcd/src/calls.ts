/**
 * How a call reaches a node that answers. What only reads is tried again until time is up. What writes is tried again
 * only while it is certain that nothing was done; else its outcome is unknown, and the caller reads back (I2).
 */
import { type Clock, CompactedError, type Log, StoreUnavailableError, StoreUnknownError } from "@greco/ports";
import type { CallOptions } from "@grpc/grpc-js";
import type { Etcd3 } from "etcd3";
import { failureOf } from "./failure.ts";
import { callOptions, type EtcdHosts } from "./hosts.ts";
import type { EtcdLimits } from "./limits.ts";

export type Attempt<T> = (client: Etcd3, options: CallOptions) => Promise<T>;

export type Calls = {
  read<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T>;
  /** Of what a node has by itself: needs no leader, and waits for none. */
  readAnywhere<T>(attempt: Attempt<T>, signal: AbortSignal): Promise<T>;
  write<T>(attempt: Attempt<T>, bytes: number, signal: AbortSignal): Promise<T>;
  /** Refuses further calls, and resolves when none is on its way. */
  close(): Promise<void>;
};

export type CallParts = {
  readonly hosts: EtcdHosts;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: EtcdLimits;
  /** etcd does not tell with the error up to where history is gone. */
  compactRevision(signal: AbortSignal): Promise<number>;
};

/** The promise's outcome, or the signal's reason; the call itself ends by its deadline then. */
async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}

export function createCalls({ hosts, clock, log, limits, compactRevision }: CallParts): Calls {
  const onTheWay = new Set<Promise<unknown>>();
  let closed = false;

  const run = async <T>(
    kind: "read" | "read anywhere" | "write",
    attempt: Attempt<T>,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<T> => {
    const giveUpAt = clock.monotonicMs() + limits.giveUpMs;
    for (let attempts = 1; ; attempts++) {
      if (kind !== "read anywhere") await orAbort(hosts.settled(), signal);
      const host = hosts.current();
      try {
        return await orAbort(attempt(host.client, callOptions(deadlineMs)), signal);
      } catch (error) {
        signal.throwIfAborted();
        const failure = failureOf(error);
        if (failure.kind === "refused") throw failure.error;
        if (failure.kind === "compacted") throw new CompactedError(await compactRevision(signal));
        if (failure.kind === "future")
          throw new RangeError("the store does not stand at that revision yet: it is a future revision");
        log.warn("etcd.call.failed", { address: host.address, error: failure.error.message });
        hosts.failed(host);
        // I2: it may have been done, or may still be.
        if (kind === "write" && !failure.nothingDone)
          throw new StoreUnknownError(
            `etcd at ${host.address} did not answer; the write may have been done: read back. ${failure.error.message}`,
            { cause: failure.error },
          );
        // However long that took: each node is asked.
        if (clock.monotonicMs() >= giveUpAt && attempts >= hosts.addresses.length)
          throw new StoreUnavailableError(
            `no node of etcd answers (${hosts.addresses.join(", ")}): is it running? ${failure.error.message}`,
            { cause: failure.error },
          );
        await clock.sleep(limits.retryPauseMs, signal);
      }
    }
  };

  const tracked = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    signal.throwIfAborted();
    if (closed) throw new StoreUnavailableError("the store is closed: open it again");
    const promise = work();
    onTheWay.add(promise);
    try {
      return await promise;
    } finally {
      onTheWay.delete(promise);
    }
  };

  return {
    read: (attempt, signal) => tracked(() => run("read", attempt, limits.readAttemptMs, signal), signal),
    readAnywhere: (attempt, signal) =>
      tracked(() => run("read anywhere", attempt, limits.readAttemptMs, signal), signal),
    write: (attempt, bytes, signal) =>
      tracked(() => run("write", attempt, limits.writeMs + bytes * limits.writeMsAByte, signal), signal),
    async close() {
      closed = true;
      await Promise.allSettled([...onTheWay]);
    },
  };
}
