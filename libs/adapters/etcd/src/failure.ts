/**
 * What an error of etcd, of gRPC or of etcd3 means to a caller of the port. I2 rests on it: only an error that proves
 * that nothing was done may be called that; every other failure of a write is an unknown outcome, to be read back.
 */
import { LeaseGoneError, StoreLimitError } from "@greco/ports";
import { ClientClosedError, EtcdLeaseInvalidError, isRecoverableError } from "etcd3";

export type Failure =
  /** The answer to the call: trying again gives the same. */
  | { readonly kind: "refused"; readonly error: Error }
  | { readonly kind: "compacted" }
  | { readonly kind: "future" }
  /** A node or the way to it failed. */
  | { readonly kind: "failed"; readonly nothingDone: boolean; readonly error: Error };

/** The call never left this process, or the node says that it did not take it. */
const NOTHING_DONE = [
  "No connection established",
  "Name resolution failed",
  "Channel closed before call started",
  // A deadline that passed before a connection was there.
  "Waiting for LB pick",
  "waiting for name resolution",
  // Said before a request is proposed to the cluster (require-leader, flow control). "database space exceeded" is not
  // of them: etcd says it of the very write that exceeded the space, which it has carried out.
  "etcdserver: no leader",
  "etcdserver: too many requests",
  "etcdserver: not capable",
  "rpc not supported for learner",
];

const TOO_LARGE = [
  "etcdserver: request is too large",
  "etcdserver: too many operations in txn request",
  "etcdserver: duplicate key given in txn request",
  "etcdserver: key is not provided",
];

/** Failures that etcd3 has no recoverable class for, and that another attempt may get over. */
const PASSING = ["etcdserver: ", "raft: "];

export function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const says = (texts: readonly string[]): boolean => texts.some((text) => error.message.includes(text));
  if (error instanceof EtcdLeaseInvalidError)
    return { kind: "refused", error: new LeaseGoneError(error.message) };
  if (says(["required revision has been compacted"])) return { kind: "compacted" };
  if (says(["required revision is a future revision"])) return { kind: "future" };
  if (says(TOO_LARGE))
    return {
      kind: "refused",
      error: new StoreLimitError(`etcd refuses it: ${error.message}`, { cause: error }),
    };
  if (says(NOTHING_DONE)) return { kind: "failed", nothingDone: true, error };
  if (error instanceof ClientClosedError) return { kind: "failed", nothingDone: true, error };
  if (isRecoverableError(error) || says(PASSING)) return { kind: "failed", nothingDone: false, error };
  return { kind: "refused", error };
}
