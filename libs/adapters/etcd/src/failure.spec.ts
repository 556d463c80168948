import { LeaseGoneError, StoreLimitError } from "@greco/ports";
import {
  EtcdLeaseInvalidError,
  GRPCDeadlineExceededError,
  GRPCResourceExhastedError,
  GRPCUnavailableError,
  GRPCUnknownError,
} from "etcd3";
import { expect, it } from "vitest";
import { failureOf } from "./failure.ts";

const nothingDone = (error: Error): unknown => {
  const failure = failureOf(error);
  return failure.kind === "failed" ? failure.nothingDone : failure.kind;
};

it("I2: takes a call for not done only where that is certain", () => {
  for (const message of [
    "14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:2379",
    "14 UNAVAILABLE: Channel closed before call started",
    "14 UNAVAILABLE: etcdserver: no leader",
    "4 DEADLINE_EXCEEDED: Deadline exceeded after 0.5s,Waiting for LB pick",
  ])
    expect([message, nothingDone(new GRPCUnavailableError(message))]).toEqual([message, true]);
});

it("I2: takes a call that was sent for one that may have been done", () => {
  for (const error of [
    new GRPCUnavailableError("14 UNAVAILABLE: Connection dropped"),
    new GRPCUnavailableError("14 UNAVAILABLE: etcdserver: leader changed"),
    new GRPCUnavailableError("14 UNAVAILABLE: etcdserver: request timed out"),
    new GRPCDeadlineExceededError(
      "4 DEADLINE_EXCEEDED: Deadline exceeded after 0.5s,remote_addr=127.0.0.1:1",
    ),
    new GRPCUnknownError("2 UNKNOWN: etcdserver: server stopped"),
    // etcd carries out the write that exceeds its space, and says so by an error.
    new GRPCResourceExhastedError("8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded"),
  ])
    expect([error.message, nothingDone(error)]).toEqual([error.message, false]);
});

it("says what the port says of leases, limits and history", () => {
  expect(failureOf(new EtcdLeaseInvalidError("7"))).toMatchObject({ kind: "refused" });
  const lease = failureOf(new EtcdLeaseInvalidError("7"));
  expect(lease.kind === "refused" && lease.error).toBeInstanceOf(LeaseGoneError);
  const large = failureOf(new Error("3 INVALID_ARGUMENT: etcdserver: request is too large"));
  expect(large.kind === "refused" && large.error).toBeInstanceOf(StoreLimitError);
  const message = "11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted";
  expect(failureOf(new Error(message)).kind).toBe("compacted");
});
