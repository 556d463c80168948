/**
 * One subscription to one model's subject. It pulls from a consumer of its own, which the server keeps in memory and
 * removes when nobody pulls; its position is all that it needs to make another. It makes another
 *
 * - when the consumer is missing: the server started again, or removed it;
 * - when it is silent: two heartbeats missed;
 * - when it is ahead, or has skipped: what the server counts as delivered is not what came (a message was in flight
 *   when the connection was cut);
 * - when the stream is another one, or ends below the position: it was wiped and made again, so it is read from its
 *   start. Repeats are the reader's to bear, and few.
 *
 * Nothing is acknowledged: what a subscriber does with a message it keeps in its own journal.
 */
import type { Clock, Log, LogMessage } from "@greco/ports";
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type Consumer,
  type JsMsg,
} from "@nats-io/jetstream";
import { nanos, nuid, type NatsConnection } from "@nats-io/transport-node";
import type { ControlStream, StreamFacts } from "./control-stream.ts";
import { NATS_LIMITS } from "./limits.ts";
import type { Link } from "./link.ts";
import { messageOf, until } from "./waiting.ts";

export type Source = {
  readonly link: Link;
  readonly stream: ControlStream;
  readonly clock: Clock;
  readonly log: Log;
};

/** Where a subscription stands. */
type Place = { position: number; created: string | undefined };

/** Why a consumer is made again. */
class ConsumerLostError extends Error {
  override name = "ConsumerLostError";
}

export async function* follow(
  source: Source,
  subject: string,
  afterPosition: number,
  signal: AbortSignal,
): AsyncGenerator<LogMessage, void, undefined> {
  const { link, stream, clock, log } = source;
  const place: Place = { position: afterPosition, created: undefined };
  for (let failures = 0; ; failures += 1) {
    try {
      const connection = await link.connected(signal);
      const asking = AbortSignal.any([signal, link.standing]);
      settle(place, await until(stream.ensure(connection), asking), source, subject);
      const consumer = await until(consumerAt(connection, stream.name, subject, place.position), asking);
      for await (const message of pull(link, consumer, signal)) {
        failures = 0;
        place.position = message.seq;
        yield { position: message.seq, payload: message.data };
      }
    } catch (error) {
      signal.throwIfAborted();
      // Said at once, and then now and then: without a stream, who may not make it waits for who may.
      if (failures % 30 === 0)
        log.info("nats.consumer.anew", { subject, after: place.position, why: messageOf(error) });
    }
    const { backoffMinMs, backoffMaxMs } = NATS_LIMITS;
    await clock.sleep(Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(failures, 10)), signal);
  }
}

/** Goes back to the start if the stream is not the one that the position is of. */
function settle(place: Place, facts: StreamFacts, { log }: Source, subject: string): void {
  const replaced = place.created !== undefined && place.created !== facts.created;
  const ahead = place.position > facts.lastPosition;
  if (replaced || ahead) {
    const { position } = place;
    log.warn("nats.stream.replaced", { subject, position, last: facts.lastPosition, made: facts.created });
    place.position = 0;
  }
  place.created = facts.created;
}

/** Its name is chosen here, so that a repeat of the request makes no second one. */
async function consumerAt(
  connection: NatsConnection,
  stream: string,
  subject: string,
  position: number,
): Promise<Consumer> {
  const options = { checkAPI: false, timeout: NATS_LIMITS.requestMs };
  const manager = await jetstreamManager(connection, options);
  const info = await manager.consumers.add(stream, {
    name: nuid.next(),
    filter_subject: subject,
    ack_policy: AckPolicy.None,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(NATS_LIMITS.consumerIdleMs),
    ...(position === 0
      ? { deliver_policy: DeliverPolicy.All }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: position + 1 }),
  });
  return jetstream(connection, options).consumers.getConsumerFromInfo(info);
}

/** Rejects when the consumer is not to be trusted any more. */
async function* pull(
  link: Link,
  consumer: Consumer,
  signal: AbortSignal,
): AsyncGenerator<JsMsg, void, undefined> {
  const { batch: size, pullMs, heartbeatMs } = NATS_LIMITS;
  let delivered = 0;
  for (;;) {
    const asked = { max_messages: size, expires: pullMs, idle_heartbeat: heartbeatMs };
    const batch = await until(consumer.fetch(asked), signal);
    // After a reconnect, what was asked for is forgotten: it is looked at once how the consumer stands.
    const stop = (): void => void batch.close();
    const off = link.onConnected(stop);
    signal.addEventListener("abort", stop, { once: true });
    let came = 0;
    try {
      for await (const message of batch) {
        came += 1;
        delivered += 1;
        if (message.info.deliverySequence !== delivered)
          throw new ConsumerLostError(
            `message ${message.info.deliverySequence} came where ${delivered} was due`,
          );
        yield message;
      }
    } finally {
      off();
      signal.removeEventListener("abort", stop);
      stop();
    }
    signal.throwIfAborted();
    if (came === size) continue;
    const standing = (await until(consumer.info(), signal)).delivered.consumer_seq;
    if (standing !== delivered)
      throw new ConsumerLostError(`${standing} messages were delivered, and ${delivered} came`);
  }
}
