/** By hand: a query gives a position up (§5 Runtime). The order is stored; the runtime that holds the lane carries it out. */
import type { QueryContent } from "@greco/domain/epoch";
import type { LaneId, Seq } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import { entityKey } from "@greco/domain/model";
import { progressOf, readersOf } from "@greco/lane-kit";
import { fault, nearest } from "@greco/service-kit";
import type { ModelHost } from "./model-host.ts";
import { bindingOf } from "./stream-names.ts";

export type DeadLetterOrder = {
  readonly query: string;
  readonly lane: LaneId;
  readonly seq: Seq;
  readonly reason: string;
};

/**
 * Only an operator of this ingress, or a subject that the input stream names in `access.publish`: what gives a message
 * up is as grave as what puts one in, and who is not named anywhere may not.
 */
export async function deadLetter(
  host: ModelHost,
  order: DeadLetterOrder,
  subject: string,
  signal: AbortSignal,
): Promise<void> {
  const { laneStore, operators, log } = host.context;
  const record = await laneStore.getLane(host.model, order.lane, signal);
  if (record === undefined)
    throw fault.notFound("UNKNOWN_LANE", order.lane, `model ${host.model} has no lane ${order.lane}`);
  const { stream } = record.info;
  await mayGiveUp(host, stream, subject, operators, signal);
  const { firstRetained, end } = record.state;
  const last = end ?? (await laneStore.tail(host.model, order.lane, signal));
  if (order.seq < firstRetained || order.seq > last)
    throw fault.outOfRange(
      "NO_SUCH_POSITION",
      `lane ${order.lane} has entries ${firstRetained} to ${last}, not ${order.seq}`,
    );
  const [entry] = await laneStore.readBackwards(host.model, order.lane, order.seq, 1, signal);
  if (entry?.kind !== "data" || entry.seq !== order.seq) {
    const description = `is a marker: only a message can be dead-lettered`;
    throw fault.invalid("NOT_A_MESSAGE", `entry ${order.seq} of lane ${order.lane} ${description}`, [
      { field: "position.seq", description },
    ]);
  }
  const query = await readerNamed(host, stream, order.query, entry.epoch, signal);
  await refuseIfRead(host, query, order, signal);
  const { lane, seq, reason } = order;
  await laneStore.putDeadLetterOrder(host.model, { query, lane, seq, actor: subject, reason }, signal);
  log.info("dead-letter.ordered", { model: host.model, query, lane, seq, subject, reason });
}

async function mayGiveUp(
  host: ModelHost,
  stream: EntityIdentity,
  subject: string,
  operators: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  if (operators.has(subject)) return;
  const ref = host.ledger.index.bindingAt(host.ledger.newest, stream);
  const access = ref === undefined ? undefined : (await bindingOf(host, ref, signal)).content.access;
  if (access?.publish?.includes(subject) === true) return;
  throw fault.denied(
    "operator of the ingress",
    `${subject} may not dead-letter in ${stream}: let an operator of the ingress do it, ` +
      `or name the subject in access.publish of the stream`,
    { metadata: { stream, subject } },
  );
}

/** What a query has read is done: an order to give it up would never be carried out. */
async function refuseIfRead(
  host: ModelHost,
  query: EntityIdentity,
  order: DeadLetterOrder,
  signal: AbortSignal,
): Promise<void> {
  const { laneStore } = host.context;
  const { inputSeq } = await progressOf({ laneStore, ledger: host.ledger }, query, order.lane, signal);
  if (order.seq > inputSeq) return;
  const description = `${order.query} has read lane ${order.lane} up to ${inputSeq}: what it made of ${order.seq} stands`;
  const subject = `models/${host.model}/entities/${entityKey("query", order.query)}`;
  throw fault.precondition("ALREADY_READ", description, [{ type: "ALREADY_READ", subject, description }]);
}

/** The query of that name which reads the stream at the epoch of the entry. */
async function readerNamed(
  host: ModelHost,
  stream: EntityIdentity,
  name: string,
  epoch: Parameters<typeof readersOf>[2],
  signal: AbortSignal,
): Promise<EntityIdentity> {
  const sources = { laneStore: host.context.laneStore, ledger: host.ledger, bindings: host.bindings };
  const readers = await readersOf(sources, stream, epoch, epoch, signal);
  const key = entityKey("query", name satisfies QueryContent["name"]);
  const found = readers.find(({ query }) => query.startsWith(`${key}@`));
  if (found !== undefined) return found.query;
  const names = readers.map(({ query }) => query.replace(/^query\//, "").replace(/@\d+$/, ""));
  const near = nearest(name, names);
  throw fault.notFound(
    "UNKNOWN_READER",
    `models/${host.model}/entities/${key}`,
    `no query ${name} reads ${stream} at epoch ${epoch}${near === undefined ? "" : `: did you mean ${near}?`}`,
  );
}
