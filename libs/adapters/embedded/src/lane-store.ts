/**
 * The AP store on SQLite (libs/ports/src/lane-store.ts). Every write is durable when it resolves (I8); appends of
 * many lanes that come in one turn share one transaction and one `fsync`.
 */
import type { LaneStore } from "@greco/ports";
import type { EmbeddedOptions } from "./cp-store.ts";
import { openDatabase } from "./database.ts";
import { LANE_SCHEMA } from "./lane-schema.ts";
import * as lanes from "./lanes.ts";
import * as ledger from "./ledger.ts";
import * as messages from "./messages.ts";
import * as runtimes from "./runtime-records.ts";
import * as leases from "./writer-leases.ts";

/** Rows dropped in one transaction. */
const ROWS_A_TRIM = 500;

export async function openEmbeddedLaneStore({ path }: EmbeddedOptions): Promise<LaneStore> {
  const database = await openDatabase(path, LANE_SCHEMA);
  const { read, write } = database;

  return {
    registerLane: (info, signal) => write(() => lanes.register(database, info), signal),
    getLane: (model, lane, signal) =>
      read(() => {
        const row = lanes.findLane(database, model, lane);
        return row === undefined ? undefined : lanes.toRecord(row);
      }, signal),
    // One file is every site.
    listLanes: (model, { includeFinished, everySite: _, ...stream }, signal) =>
      read(() => lanes.list(database, model, { ...stream, finished: includeFinished === true }), signal),
    finishLane: (model, lane, signal) =>
      write(() => {
        const { number } = lanes.mustFindLane(database, model, lane);
        database.prepare("UPDATE lane SET finished = 1 WHERE number = ?").run(number);
      }, signal),
    append: (model, appends, signal) =>
      write(() => appends.forEach((each) => messages.append(database, model, each)), signal),
    read: (model, lane, fromSeq, limit, signal) =>
      read(() => {
        const row = lanes.mustFindLane(database, model, lane);
        const { info, state } = lanes.toRecord(row);
        // One snapshot: the state is not older than the entries (R2).
        return {
          entries: messages.readFrom(database, row, lane, fromSeq, limit),
          state,
          lease: leases.leaseOf(database, model, info.writer),
        };
      }, signal),
    tail: (model, lane, signal) =>
      read(() => messages.tail(database, lanes.mustFindLane(database, model, lane)), signal),
    readBackwards: (model, lane, atMost, limit, signal) =>
      read(
        () => messages.readBack(database, lanes.mustFindLane(database, model, lane), atMost, limit),
        signal,
      ),
    requestClose: (model, lane, signal) =>
      write(() => {
        const { number } = lanes.mustFindLane(database, model, lane);
        database.prepare("UPDATE lane SET closeRequested = 1 WHERE number = ?").run(number);
      }, signal),
    endLane: (model, lane, end, signal) => write(() => lanes.endAt(database, model, lane, end), signal),
    async trim(model, lane, firstRetained, signal) {
      const row = (): lanes.LaneRow => lanes.mustFindLane(database, model, lane);
      await write(() => messages.retainFrom(database, row(), firstRetained), signal);
      let dropped = 0;
      for (;;) {
        const now = await write(() => messages.dropBelow(database, row(), ROWS_A_TRIM), signal);
        dropped += now;
        if (now < ROWS_A_TRIM) return dropped;
      }
    },

    createLease: (model, writer, signal) => write(() => leases.create(database, model, writer), signal),
    readLease: (model, writer, signal) => read(() => leases.leaseOf(database, model, writer), signal),
    renewLease: (model, writer, count, signal) =>
      write(() => leases.renew(database, model, writer, count), signal),
    closeLease: (model, writer, count, signal) =>
      write(() => leases.close(database, model, writer, count), signal),
    finishLease: (model, writer, signal) => write(() => leases.finish(database, model, writer), signal),
    lanesOfWriter: (model, writer, signal) =>
      read(() => lanes.list(database, model, { writer, finished: true }), signal),

    appendLedger: (entry, signal) => write(() => ledger.appendLedger(database, entry), signal),
    readLedger: (model, afterEpoch, limit, signal) =>
      read(() => ledger.readLedger(database, model, afterEpoch, limit), signal),
    listModels: (signal) => read(() => ledger.models(database), signal),
    raiseFloor: (model, floor, signal) => write(() => ledger.raiseFloor(database, model, floor), signal),
    readFloor: (model, signal) => read(() => ledger.readFloor(database, model), signal),

    putCheckpoint: (model, checkpoint, signal) =>
      write(() => runtimes.putCheckpoint(database, model, checkpoint), signal),
    readCheckpoints: (model, query, inputLane, signal) =>
      read(() => runtimes.checkpoints(database, model, query, inputLane), signal),
    claim: (model, claim, expectedGeneration, signal) =>
      write(() => runtimes.claim(database, model, claim, expectedGeneration), signal),
    listClaims: (model, signal) => read(() => runtimes.claims(database, model), signal),
    heartbeat: (model, runtime, signal) => write(() => runtimes.heartbeat(database, model, runtime), signal),
    leave: (model, runtime, signal) => write(() => runtimes.leave(database, model, runtime), signal),
    listMembers: (model, signal) => read(() => runtimes.members(database, model), signal),
    putDeadLetterOrder: (model, order, signal) =>
      write(() => runtimes.putOrder(database, model, order), signal),
    listDeadLetterOrders: (model, query, lane, signal) =>
      read(() => runtimes.orders(database, model, query, lane), signal),
    recordCrossing: (model, query, lane, epoch, signal) =>
      write(() => runtimes.cross(database, model, query, lane, epoch), signal),
    readCrossing: (model, query, lane, signal) =>
      read(() => runtimes.crossing(database, model, query, lane), signal),

    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
