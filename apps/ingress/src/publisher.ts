/**
 * Publishing: checks, places and acknowledges messages, one or many.
 *
 * B1. A message is checked by the schema in force in its lane, in the same turn of the event loop in which the lane
 *     gives it seq and epoch: between the check and the seq nothing can change (I6).
 * B2. An acknowledgement is given by R1 alone; it carries the epoch that the lane was current to.
 * B3. What is refused is not stored; what has an unknown outcome says so, and is stored once for a producer with an id.
 * B4. Nothing is queued without bound: windows of lanes, a short wait for room, and the bytes of all requests that are
 *     not answered yet, counted from their admission on, whatever they wait for.
 */
import type { LaneId } from "@greco/domain/lane";
import type { OpenLane } from "@greco/lane-kit";
import { bytesOf, LaneLostError } from "@greco/lane-kit";
import type { Counter } from "@greco/ports";
import { type Fault, fault, toFault } from "@greco/service-kit";
import type { Draft } from "./draft.ts";
import { check, drafted, keyOf, laneIndex } from "./draft.ts";
import type { LaneGroup, LaneGroups } from "./lane-groups.ts";
import { isOpen, StreamGoneError } from "./lane-groups.ts";
import { countOutcomes, messageCounter } from "./metrics.ts";
import type { ModelHost } from "./model-host.ts";
import type { IngressContext } from "./options.ts";
import type { Place, Producer } from "./producer.ts";
import type { Outcome, PublishOrder } from "./publish-order.ts";
import type { Hosts, StreamTarget } from "./stream-names.ts";
import { bindingOf, checkAccess, findStream, isBuiltIn } from "./stream-names.ts";
import { untilAborted } from "./waiting.ts";

const never = new AbortController().signal;

/** What a synchronous attempt came to: all placed, or something to wait for first. */
type Attempt = { readonly placed: true } | { readonly placed: false; readonly first: () => Promise<unknown> };

export class Publisher {
  readonly #context: IngressContext;
  readonly #hosts: Hosts;
  readonly #messages: Counter | undefined;
  #inflightBytes = 0;
  #turn = 0;

  constructor(context: IngressContext, hosts: Hosts) {
    this.#context = context;
    this.#hosts = hosts;
    this.#messages = context.metrics && messageCounter(context.metrics);
  }

  /**
   * Resolves when every message has its place or its refusal, so that what is admitted next stands behind it; the
   * outcomes come later, one a message, in their order, and never reject.
   */
  async admit(
    order: PublishOrder,
    subject: string,
    signal: AbortSignal,
  ): Promise<readonly Promise<Outcome>[]> {
    const bytes = sizeOf(order);
    if (!this.#hasRoom(bytes)) {
      const full = order.messages.map(() => this.#full());
      if (this.#messages !== undefined) countOutcomes(this.#messages, full);
      return full.map((fault) => Promise.resolve(fault));
    }
    this.#inflightBytes += bytes;
    let outcomes: readonly Promise<Outcome>[] = [];
    try {
      outcomes = await this.#admitted(order, subject, signal);
    } finally {
      void Promise.all(outcomes).then((known) => {
        this.#inflightBytes -= bytes;
        if (this.#messages !== undefined) countOutcomes(this.#messages, known);
      });
    }
    return outcomes;
  }

  /** R5: where the producer's next message would go; its lanes elsewhere are closed and read by then. */
  async place(order: PublishOrder, subject: string, signal: AbortSignal): Promise<LaneId> {
    const bytes = sizeOf(order);
    if (!this.#hasRoom(bytes)) throw this.#full();
    this.#inflightBytes += bytes;
    try {
      const target = await this.#target(order, subject, signal);
      const groups = target.host.groups(target.stream);
      using held = this.#hold(target, order);
      const group = await this.#groupFor(target, groups, order, held?.producer, signal);
      if (held !== undefined) held.producer.told = true;
      const [lane] = group.lanes;
      if (lane === undefined) throw fault.internal(new Error(`group ${group.id} has no lanes`));
      return lane.id;
    } finally {
      this.#inflightBytes -= bytes;
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#inflightBytes === 0 || this.#inflightBytes + bytes <= this.#context.limits.inflightBytes;
  }

  async #admitted(
    order: PublishOrder,
    subject: string,
    signal: AbortSignal,
  ): Promise<readonly Promise<Outcome>[]> {
    const drafts = order.messages.map(drafted);
    try {
      const target = await this.#target(order, subject, signal);
      await this.#place(target, order, drafts, signal);
    } catch (error) {
      const failed = outcomeOf(error, signal);
      for (const draft of drafts) draft.outcome ??= Promise.resolve(failed);
    }
    return drafts.map(({ outcome }) => outcome ?? Promise.resolve(fault.internal(new Error("not placed"))));
  }

  async #target(order: PublishOrder, subject: string, signal: AbortSignal): Promise<StreamTarget> {
    const target = await findStream(this.#hosts, order.stream, signal);
    if (isBuiltIn(target.stream)) {
      const description = `${target.name} is built in: Greco writes it, nobody else does`;
      throw fault.invalid("BUILT_IN_STREAM", description, [{ field: "stream", description }]);
    }
    if (target.ref !== undefined)
      checkAccess(target, await bindingOf(target.host, target.ref, signal), subject, "publish");
    return target;
  }

  async #place(
    target: StreamTarget,
    order: PublishOrder,
    drafts: readonly Draft[],
    signal: AbortSignal,
  ): Promise<void> {
    const { host, stream } = target;
    const { clock, limits } = this.#context;
    const groups = host.groups(stream);
    const untilMs = clock.monotonicMs() + limits.fullWaitMs;
    this.#turn += 1;
    const turn = this.#turn;
    using held = this.#hold(target, order);
    const producer = held?.producer;
    for (;;) {
      const group = await this.#groupFor(target, groups, order, producer, signal);
      if (order.atLeastEpoch > 0) await this.#reach(host, group, order.atLeastEpoch, signal);
      // B1: from here on nothing is awaited until every message has its seq.
      const patient = clock.monotonicMs() < untilMs;
      const attempt = this.#attempt(target, group, producer, drafts, turn, patient);
      if (attempt.placed) return;
      await untilAborted(attempt.first(), signal);
    }
  }

  /** P4: of a producer nothing is kept when the request leaves nothing behind. */
  #hold({ host, stream }: StreamTarget, { producer }: PublishOrder) {
    return producer === undefined ? undefined : host.producers.hold(stream, producer.id);
  }

  async #groupFor(
    target: StreamTarget,
    groups: LaneGroups,
    { producer: claim }: PublishOrder,
    producer: Producer | undefined,
    signal: AbortSignal,
  ): Promise<LaneGroup> {
    try {
      if (claim === undefined || producer === undefined) return await groups.current(signal);
      return await target.host.producers.ready(groups, producer, claim, signal);
    } catch (error) {
      if (!(error instanceof StreamGoneError)) throw error;
      // It was removed a moment ago; the fault says by which epoch. Made again, it is another stream: publish again.
      await findStream(this.#hosts, target.resource, signal);
      const { retryAfterMs } = this.#context.limits;
      throw fault.unavailable("STREAM_CHANGED", `${error.message}: publish again`, { retryAfterMs });
    }
  }

  /** Until every lane of the group is current to the epoch that the caller has seen the effect of. */
  async #reach(host: ModelHost, group: LaneGroup, atLeast: number, signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#context;
    const current = (): boolean => group.lanes.every((lane) => lane.current >= atLeast);
    if (current()) return;
    const late = new AbortController();
    const stop = AbortSignal.any([signal, late.signal]);
    const bound = clock.sleep(limits.epochWaitMs, stop).then(
      () => late.abort(),
      () => undefined,
    );
    try {
      await host.ledger.waitFor(atLeast as OpenLane["epoch"], stop);
      while (!current() && isOpen(group)) await clock.sleep(5, stop);
    } catch (error) {
      signal.throwIfAborted();
      if (!late.signal.aborted) throw error;
      throw fault.deadline(
        "EPOCH_NOT_REACHED",
        `the ledger shows epoch ${host.ledger.newest}, not yet ${atLeast}: publish again later`,
      );
    } finally {
      late.abort();
      await bound;
    }
  }

  /** B1: one synchronous stretch. */
  #attempt(
    { host, stream }: StreamTarget,
    group: LaneGroup,
    producer: Producer | undefined,
    drafts: readonly Draft[],
    turn: number,
    patient: boolean,
  ): Attempt {
    const wait = (first: () => Promise<unknown>): Attempt => ({ placed: false, first });
    if (!isOpen(group)) return wait(() => Promise.resolve());
    const bindings = group.lanes.map((lane) => {
      const ref = host.ledger.index.bindingAt(lane.epoch, stream);
      return ref && host.streams.peek(ref);
    });
    const [keyed] = bindings;
    if (keyed === undefined) return wait(() => this.#loadBindings(host, group, stream));
    const perLane = group.lanes.map((): Draft[] => []);
    const numbers = new Set<number>();
    let again = false;
    for (const draft of drafts) {
      if (draft.outcome !== undefined) continue;
      draft.outcome = this.#standing(draft, producer);
      if (draft.outcome !== undefined) continue;
      const { producerSeq } = draft.message;
      if (producer !== undefined && numbers.has(producerSeq)) {
        // Twice in one batch: its first has no place yet, so it is looked at in another round.
        again = true;
        continue;
      }
      const key = keyOf(draft, keyed);
      const index = key === "" ? turn % group.lanes.length : laneIndex(key, group.lanes.length);
      const binding = bindings[index];
      if (binding === undefined) return wait(() => this.#loadBindings(host, group, stream));
      const refusal = check(draft, binding);
      if (refusal !== undefined) draft.outcome = Promise.resolve(refusal);
      else {
        perLane[index]?.push(draft);
        numbers.add(producerSeq);
      }
    }
    const full = group.lanes.findIndex((lane, index) => !fits(lane, perLane[index] ?? []));
    const fullLane = group.lanes[full];
    if (fullLane !== undefined && patient) return wait(() => this.#roomFor(fullLane, perLane[full] ?? []));
    group.lanes.forEach((lane, index) => {
      const mine = perLane[index] ?? [];
      if (mine.length > 0) this.#append(lane, mine, producer);
    });
    return again ? wait(() => Promise.resolve()) : { placed: true };
  }

  /** What is known of the message before it is placed. */
  #standing({ message }: Draft, producer: Producer | undefined): Promise<Outcome> | undefined {
    const { producerSeq, field } = message;
    if (producer === undefined) {
      if (producerSeq === 0) return undefined;
      const description =
        "has a producer_seq, but the request names no producer: name it, or leave the number out";
      return Promise.resolve(
        fault.invalid("PRODUCER_MISSING", `${field} ${description}`, [
          { field: `${field}.producer_seq`, description },
        ]),
      );
    }
    if (producerSeq === 0) {
      const description = "has no producer_seq: a producer with an id numbers its messages 1, 2, 3 …";
      return Promise.resolve(
        fault.invalid("PRODUCER_SEQ_MISSING", `${field} ${description}`, [
          { field: `${field}.producer_seq`, description },
        ]),
      );
    }
    const place = producer.numbers.get(producerSeq);
    if (place instanceof Promise) return place.then(duplicateOf, (error: unknown) => outcomeOf(error, never));
    if (place !== undefined) return Promise.resolve(duplicateOf(place));
    if (producerSeq > producer.floor) return undefined;
    const description = `number ${producerSeq} of producer ${producer.id} is older than all that is remembered of it`;
    return Promise.resolve(
      fault.precondition(
        "PRODUCER_SEQ_TOO_OLD",
        `${description}: it may be stored already, look for it in the stream`,
        [{ type: "PRODUCER_SEQ_TOO_OLD", subject: `${field}.producer_seq`, description }],
      ),
    );
  }

  /** Gives the lane's messages their seqs, or refuses them when there is no room. */
  #append(lane: OpenLane, drafts: readonly Draft[], producer: Producer | undefined): void {
    if (!fits(lane, drafts)) {
      for (const draft of drafts) draft.outcome = Promise.resolve(this.#full());
      return;
    }
    const entries = drafts.map(({ entry, message }) =>
      producer === undefined ? entry : { ...entry, producer: { id: producer.id, seq: message.producerSeq } },
    );
    // What the lane is current to now is true for ever.
    const currentEpoch = lane.current;
    const appended = lane.append(entries, never);
    drafts.forEach((draft, index) => {
      const place = appended.then((all): Place => {
        const one = all[index];
        if (one === undefined)
          throw new Error(`lane ${lane.id} acknowledged ${all.length} of ${drafts.length}`);
        return { lane: lane.id, ...one };
      });
      const { producerSeq } = draft.message;
      producer?.put(producerSeq, place);
      draft.outcome = place.then(
        async (found) => {
          producer?.put(producerSeq, found);
          await this.#context.failpoint("ingress.ack.before");
          return { place: found, currentEpoch, duplicate: false };
        },
        (error: unknown) => {
          // R1: nobody knows; the producer's next attempt looks in the lane once it is sealed (R5).
          producer?.forget(producerSeq);
          return outcomeOf(error, never);
        },
      );
    });
  }

  async #roomFor(lane: OpenLane, drafts: readonly Draft[]): Promise<void> {
    const { clock, limits } = this.#context;
    const late = new AbortController();
    const bound = clock.sleep(limits.fullWaitMs, late.signal).then(
      () => late.abort(),
      () => undefined,
    );
    try {
      await lane.roomFor(drafts.length, bytesOf(drafts.map(({ entry }) => entry)), late.signal);
    } catch (error) {
      if (!late.signal.aborted) throw error;
    } finally {
      late.abort();
      await bound;
    }
  }

  async #loadBindings(host: ModelHost, group: LaneGroup, stream: StreamTarget["stream"]): Promise<void> {
    for (const { epoch } of group.lanes) {
      const ref = host.ledger.index.bindingAt(epoch, stream);
      if (ref !== undefined) await bindingOf(host, ref, host.signal);
      // The stream is gone at this epoch: the lane ends, and the next round says so.
      else await this.#context.clock.sleep(5, host.signal);
    }
  }

  #full(): Fault {
    const { retryAfterMs } = this.#context.limits;
    return fault.exhausted(
      "INGRESS_FULL",
      `the ingress takes no more at the moment: publish again in ${retryAfterMs} ms`,
      retryAfterMs,
    );
  }
}

/** What a request costs beside its messages, and a message beside its payload and key, roughly. */
const REQUEST_BYTES = 2_048;
const MESSAGE_BYTES = 256;

function sizeOf({ messages }: PublishOrder): number {
  let bytes = REQUEST_BYTES;
  for (const { payload, key } of messages) bytes += payload.length + key.length + MESSAGE_BYTES;
  return bytes;
}

function fits(lane: OpenLane, drafts: readonly Draft[]): boolean {
  return drafts.length === 0 || lane.hasRoom(drafts.length, bytesOf(drafts.map(({ entry }) => entry)));
}

function duplicateOf(place: Place): Outcome {
  return { place, currentEpoch: place.epoch, duplicate: true };
}

function outcomeOf(error: unknown, signal: AbortSignal): Fault {
  if (!(error instanceof LaneLostError)) return toFault(error, signal);
  return fault.unknown(
    "OUTCOME_UNKNOWN",
    "the ingress lost its lane before the message was acknowledged: publish it again; " +
      "a producer with an id and number that publishes it here, or elsewhere names the lane of its last " +
      "acknowledgement (before the first one: of the answer to a batch without messages) has it stored once; " +
      "without an id, or moving and naming no lane, it may be stored twice",
    { cause: error },
  );
}
