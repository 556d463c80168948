/**
 * Leases, call by call: no keep-alive of etcd3's runs by itself, because who drives must know when it last kept its
 * lease, and etcd3 tells a loss only after twice the time (docs/decisions/0080-etcd.md).
 */
import { LeaseGoneError, type LeaseId } from "@greco/ports";
import type { CallOptions, ClientDuplexStream } from "@grpc/grpc-js";
import type { Etcd3, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from "etcd3";
import type { Calls } from "./calls.ts";

export type Leases = {
  grant(ttlMs: number, signal: AbortSignal): Promise<LeaseId>;
  keep(lease: LeaseId, signal: AbortSignal): Promise<void>;
  revoke(lease: LeaseId, signal: AbortSignal): Promise<void>;
};

const goneError = (lease: LeaseId): LeaseGoneError =>
  new LeaseGoneError(`lease ${lease} has lapsed and its keys are deleted: grant another`);

/** Seconds that are left to it; 0: it is gone. */
async function keepOnce(client: Etcd3, options: CallOptions, lease: LeaseId): Promise<number> {
  const opened = await client.leaseClient.leaseKeepAlive(options);
  const stream = opened as ClientDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  stream.on("data", (answer: ILeaseKeepAliveResponse) => resolve(Number(answer.TTL)));
  stream.on("error", reject);
  stream.on("end", () => reject(new Error("etcdserver: the keep-alive ended without an answer")));
  stream.write({ ID: lease });
  // Not cancelled: etcd3 takes that for a failure of the node.
  return promise.finally(() => stream.end());
}

export function createLeases(calls: Calls): Leases {
  return {
    async grant(ttlMs, signal) {
      if (!(ttlMs > 0 && Number.isFinite(ttlMs)))
        throw new RangeError(`a lease's time must be above 0 ms; got ${ttlMs}`);
      // etcd counts seconds. Tried again: a lease whose answer was lost has no keys and lapses by itself.
      const TTL = Math.ceil(ttlMs / 1_000);
      const answer = await calls.read(
        (client, options) => client.leaseClient.leaseGrant({ TTL }, options),
        signal,
      );
      return answer.ID;
    },
    async keep(lease, signal) {
      const left = await calls.read((client, options) => keepOnce(client, options, lease), signal);
      if (left <= 0) throw goneError(lease);
    },
    async revoke(lease, signal) {
      let attempts = 0;
      try {
        await calls.read((client, options) => {
          attempts++;
          return client.leaseClient.leaseRevoke({ ID: lease }, options);
        }, signal);
      } catch (error) {
        // Gone by an attempt of this call whose answer was lost.
        if (!(error instanceof LeaseGoneError && attempts > 1)) throw error;
      }
    },
  };
}
