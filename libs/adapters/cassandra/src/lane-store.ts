/**
 * The AP store on Cassandra (libs/ports/src/lane-store.ts; docs/decisions/0090-cassandra.md): lanes, leases, ledger,
 * floor and what runtimes keep, at the consistencies of DESIGN §5.
 */
import type { LaneStore } from "@greco/ports";
import type { LaneCore } from "./core.ts";
import { Extents } from "./extents.ts";
import { Gate } from "./gate.ts";
import { modelKey } from "./keys.ts";
import { Lanes } from "./lanes.ts";
import { Ledger } from "./ledger.ts";
import { CASSANDRA_LIMITS, type LaneLimits } from "./limits.ts";
import { Messages } from "./messages.ts";
import type { CassandraOptions } from "./options.ts";
import { RuntimeRecords } from "./runtime-records.ts";
import { openSites } from "./sites.ts";
import { WriterLeases } from "./writer-leases.ts";

/** `limits`: of the keyspace, the same in every process that opens it; other ones than the default are for tests. */
export type CassandraLaneStoreOptions = CassandraOptions & { readonly limits?: LaneLimits };

/** Connects, brings the keyspace to this program's schema, and serves until it is disposed. */
export async function openCassandraLaneStore(
  options: CassandraLaneStoreOptions,
  signal: AbortSignal,
): Promise<LaneStore> {
  const { clock, log, space = "", limits = CASSANDRA_LIMITS } = options;
  const sites = await openSites(options, signal);
  const gate = new Gate("lane store");
  const core: LaneCore = { sites, key: modelKey(space), space, clock, log, gate, limits };
  const lanes = new Lanes(core);
  const extents = new Extents(core);
  const messages = new Messages(core, lanes, extents);
  const leases = new WriterLeases(core, lanes);
  const ledger = new Ledger(core, lanes);
  const records = new RuntimeRecords(core, lanes);

  return {
    registerLane: (info, stop) => gate.run(stop, () => lanes.register(info)),
    getLane: (model, lane, stop) => gate.run(stop, () => lanes.get(model, lane)),
    listLanes: (model, filter, stop) => gate.run(stop, () => lanes.list(model, filter)),
    finishLane: (model, lane, stop) =>
      gate.run(stop, async () => {
        await lanes.finish(model, lane);
        await records.forgetClaims(model, lane);
      }),
    append: (model, appends, stop) =>
      gate.run(stop, async () => {
        await Promise.all(appends.map((each) => messages.append(model, each)));
      }),
    read: (model, lane, fromSeq, limit, stop) =>
      gate.run(stop, () => messages.read(model, lane, fromSeq, limit)),
    tail: (model, lane, stop) => gate.run(stop, () => messages.tail(model, lane)),
    readBackwards: (model, lane, atMost, limit, stop) =>
      gate.run(stop, () => messages.readBackwards(model, lane, atMost, limit)),
    requestClose: (model, lane, stop) =>
      gate.run(stop, async () => void (await lanes.requestClose(model, lane))),
    endLane: (model, lane, end, stop) => gate.run(stop, () => lanes.end(model, lane, end)),
    trim: (model, lane, firstRetained, stop) =>
      gate.run(stop, () => messages.trim(model, lane, firstRetained)),

    createLease: (model, writer, stop) => gate.run(stop, () => leases.create(model, writer)),
    readLease: (model, writer, stop) => gate.run(stop, () => leases.read(model, writer)),
    renewLease: (model, writer, count, stop) => gate.run(stop, () => leases.renew(model, writer, count)),
    closeLease: (model, writer, count, stop) => gate.run(stop, () => leases.close(model, writer, count)),
    finishLease: (model, writer, stop) => gate.run(stop, () => leases.finish(model, writer)),
    lanesOfWriter: (model, writer, stop) => gate.run(stop, () => lanes.ofWriter(model, writer)),

    appendLedger: (entry, stop) => gate.run(stop, () => ledger.append(entry)),
    readLedger: (model, afterEpoch, limit, stop) =>
      gate.run(stop, () => ledger.read(model, afterEpoch, limit)),
    listModels: (stop) => gate.run(stop, () => lanes.models()),
    raiseFloor: (model, floor, stop) => gate.run(stop, () => ledger.raiseFloor(model, floor)),
    readFloor: (model, stop) => gate.run(stop, () => ledger.readFloor(model)),

    putCheckpoint: (model, checkpoint, stop) =>
      gate.run(stop, () => records.putCheckpoint(model, checkpoint)),
    readCheckpoints: (model, query, inputLane, stop) =>
      gate.run(stop, () => records.checkpoints(model, query, inputLane)),
    claim: (model, claim, expected, stop) => gate.run(stop, () => records.claim(model, claim, expected)),
    listClaims: (model, stop) => gate.run(stop, () => records.claims(model)),
    heartbeat: (model, runtime, stop) => gate.run(stop, () => records.heartbeat(model, runtime)),
    leave: (model, runtime, stop) => gate.run(stop, () => records.leave(model, runtime)),
    listMembers: (model, stop) => gate.run(stop, () => records.members(model)),
    putDeadLetterOrder: (model, order, stop) => gate.run(stop, () => records.putOrder(model, order)),
    listDeadLetterOrders: (model, query, lane, stop) =>
      gate.run(stop, () => records.orders(model, query, lane)),
    recordCrossing: (model, query, lane, epoch, stop) =>
      gate.run(stop, () => records.cross(model, query, lane, epoch)),
    readCrossing: (model, query, lane, stop) => gate.run(stop, () => records.crossing(model, query, lane)),

    [Symbol.asyncDispose]: () => gate.close(async () => sites[Symbol.asyncDispose]()),
  };
}
