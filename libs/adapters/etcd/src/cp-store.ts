/**
 * The CP store on etcd (libs/ports/src/cp-store.ts). I1, I2, I3 rest on its transactions, which etcd makes serial and
 * durable; here they are checked, sent once, and never called done, or not done, without proof.
 */
import {
  checkTransaction,
  type Clock,
  CompactedError,
  type CpStore,
  type Log,
  type Transaction,
} from "@greco/ports";
import { type Calls, createCalls } from "./calls.ts";
import { compareVersions, createHosts, type EtcdAuthority } from "./hosts.ts";
import { createLeases } from "./leases.ts";
import { ETCD_LIMITS, type EtcdLimits } from "./limits.ts";
import { readRange } from "./ranges.ts";
import { createWatchHub } from "./watch-hub.ts";
import { compactRevision, watch } from "./watch.ts";
import { createWire, type Wire } from "./wire.ts";

export type EtcdOptions = {
  /** host:port of each node, or of some; https://host:port with certificates. */
  readonly hosts: readonly string[];
  /** All keys stand below it, so that several stores may share a cluster. Their revisions are one count then. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly authority?: EtcdAuthority;
  readonly limits?: Partial<EtcdLimits>;
};

/** Below it, marks of progress run ahead of events, and watches lose some without an error. */
const OLDEST = "3.6.0";
/** Below it there are known holes (CVE-2026-73499, CVE-2026-33413). */
const ADVISED = "3.6.14";

const isWrite = ({ then, else: otherwise = [] }: Transaction): boolean =>
  then.some((each) => each.type !== "get") || otherwise.some((each) => each.type !== "get");

const sizeOf = ({ then, else: otherwise = [] }: Transaction): number =>
  [...then, ...otherwise].reduce((sum, each) => sum + (each.type === "put" ? each.value.length : 0), 0);

async function transactOn(calls: Calls, wire: Wire, transaction: Transaction, signal: AbortSignal) {
  const request = wire.transaction(transaction);
  const answer = isWrite(transaction)
    ? await calls.write((client, each) => client.kv.txn(request, each), sizeOf(transaction), signal)
    : await calls.read((client, each) => client.kv.txn(request, each), signal);
  return {
    succeeded: answer.succeeded,
    revision: Number(answer.header.revision),
    responses: answer.responses.map((each) => (each.response_range?.kvs ?? []).map((kv) => wire.entry(kv))),
  };
}

/** Resolves when a node has answered. Throws `StoreUnavailableError` when none does. */
export async function openEtcdCpStore(options: EtcdOptions, signal: AbortSignal): Promise<CpStore> {
  signal.throwIfAborted();
  if (options.prefix === "")
    throw new RangeError('a store on etcd needs a prefix of its own, such as "greco/"');
  const { clock, log } = options;
  const limits = { ...ETCD_LIMITS, ...options.limits };
  const wire = createWire(options.prefix);
  await using opening = new AsyncDisposableStack();
  const hosts = createHosts(options.hosts, options.authority ?? {}, clock, limits);
  opening.defer(() => hosts.close());
  const hub = opening.use(createWatchHub({ hosts, clock, log, limits }));
  const nothing = wire.range({ key: "" });
  const calls = createCalls({
    hosts,
    clock,
    log,
    limits,
    compactRevision: (each) => compactRevision(hub, nothing, each),
  });
  opening.defer(() => calls.close());
  const leases = createLeases(calls);
  /** Reads for watches "from now on". A write of this store waits for them, so that it comes behind that "now". */
  const starting = new Set<Promise<number>>();

  const revisionNow = async (each: AbortSignal): Promise<number> =>
    (await readRange(calls, wire, { range: { key: "" }, options: {}, signal: each })).revision;

  const startOf = (afterRevision: number, each: AbortSignal): Promise<number> => {
    if (afterRevision !== 0) return Promise.resolve(afterRevision);
    const start = revisionNow(each);
    starting.add(start);
    // Told by the iterator; a watch that nobody reads must not end the process.
    start.catch(() => undefined).finally(() => starting.delete(start));
    return start;
  };

  await hosts.look();
  const version = await hosts.version();
  if (version !== undefined && compareVersions(version, OLDEST) < 0)
    throw new Error(`etcd ${version} loses events of watches: run ${ADVISED} or newer`);
  if (version !== undefined && compareVersions(version, ADVISED) < 0)
    log.warn("etcd.version.old", { version, advised: ADVISED });
  await revisionNow(signal);

  const owned = opening.move();
  return {
    range: (range, read, each) => readRange(calls, wire, { range, options: read, signal: each }),
    async transact(transaction, each) {
      each.throwIfAborted();
      checkTransaction(transaction);
      if (starting.size > 0) await Promise.allSettled([...starting]);
      return transactOn(calls, wire, transaction, each);
    },
    watch: (range, afterRevision, each) =>
      watch({ hub, wire, limits }, wire.range(range), startOf(afterRevision, each), each),
    grantLease: leases.grant,
    keepLease: leases.keep,
    revokeLease: leases.revoke,
    async compact(revision, each) {
      try {
        await calls.read((client, call) => client.kv.compact({ revision }, call), each);
      } catch (error) {
        // As much, or more, is forgotten already.
        if (!(error instanceof CompactedError)) throw error;
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
