/** The control log on JetStream (libs/ports/src/control-log.ts): durable at the stream when a publish resolves. */
import {
  CONTROL_LOG_PAYLOAD_MAX,
  type ControlLog,
  StoreLimitError,
  StoreUnavailableError,
  StoreUnknownError,
} from "@greco/ports";
import { JetStreamApiError, jetstream } from "@nats-io/jetstream";
import { errors, type NatsConnection } from "@nats-io/transport-node";
import { ControlStream } from "./control-stream.ts";
import { follow } from "./control-subscription.ts";
import { NATS_LIMITS } from "./limits.ts";
import { Link, type NatsOptions } from "./link.ts";
import { namesOf, token } from "./subjects.ts";
import { closedError, messageOf, until } from "./waiting.ts";

export type JetStreamControlLogOptions = NatsOptions & {
  /** Servers that keep each message: 1 on one server, 3 on a cluster. Default 1. */
  readonly replicas?: number;
  /** Whether this process may make the stream. A conductor's user may not, and waits until it is there. Default true. */
  readonly makesStream?: boolean;
};

/** Resolves when it is connected, or as soon as it is clear that this has to wait: then it goes on trying by itself. */
export async function openJetStreamControlLog(
  options: JetStreamControlLogOptions,
  signal: AbortSignal,
): Promise<ControlLog> {
  const names = namesOf(options.streamPrefix ?? "greco");
  const { clock, log } = options;
  const link = await Link.open(options, { noEcho: false }, signal);
  const stream = new ControlStream({
    names,
    clock,
    log,
    replicas: options.replicas ?? 1,
    makes: options.makesStream ?? true,
  });
  const publisher: Publisher = { link, stream, options };
  const closing = new AbortController();
  const publishing = new Set<Promise<void>>();
  const closed = async (): Promise<void> => {
    closing.abort(closedError("the control log"));
    await Promise.allSettled(publishing);
    await link[Symbol.asyncDispose]();
  };
  let disposed: Promise<void> | undefined;
  return {
    async publish(model, messageId, payload, by) {
      by.throwIfAborted();
      closing.signal.throwIfAborted();
      if (payload.length > CONTROL_LOG_PAYLOAD_MAX)
        throw new StoreLimitError(
          `a message takes ${CONTROL_LOG_PAYLOAD_MAX} bytes, got ${payload.length}: send it in chunks`,
        );
      // Ids are told apart within a model; JetStream looks at those of a stream.
      const message = {
        subject: names.controlOf(model),
        id: `${token(model)}.${token(messageId)}`,
        payload,
      };
      const sending = publish(publisher, message, by, closing.signal);
      publishing.add(sending);
      try {
        await sending;
      } finally {
        publishing.delete(sending);
      }
    },
    subscribe: (model, afterPosition, by) =>
      follow(
        { link, stream, clock, log },
        names.controlOf(model),
        afterPosition,
        AbortSignal.any([by, closing.signal]),
      ),
    [Symbol.asyncDispose]: () => (disposed ??= closed()),
  };
}

type Publisher = {
  readonly link: Link;
  readonly stream: ControlStream;
  readonly options: JetStreamControlLogOptions;
};
type Message = { readonly subject: string; readonly id: string; readonly payload: Uint8Array };

/**
 * Tried until it is acknowledged, for `publishMs` at most: the id makes a repeat harmless. When the log closes, an
 * attempt that is under way may still end, and no other begins.
 */
async function publish(
  publisher: Publisher,
  message: Message,
  signal: AbortSignal,
  closing: AbortSignal,
): Promise<void> {
  const { link, options } = publisher;
  const { clock } = options;
  const untilMs = clock.monotonicMs() + NATS_LIMITS.publishMs;
  const over = new AbortController();
  const waiting = AbortSignal.any([signal, closing, over.signal]);
  const alarm = clock.sleep(NATS_LIMITS.publishMs, AbortSignal.any([signal, over.signal])).then(
    () => over.abort(new StoreUnavailableError(`not connected to NATS at ${options.servers.join(", ")}`)),
    () => undefined,
  );
  let failure: unknown;
  let sent = false;
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const connection = await link.connected(waiting);
        const answer = await until(send(connection, publisher, message), signal);
        if (answer === "acknowledged") return;
        sent ||= answer.sent;
        failure = answer.error;
      } catch (error) {
        failure = error;
        if (signal.aborted || waiting.aborted) break;
        throw error;
      }
      const { backoffMinMs, backoffMaxMs } = NATS_LIMITS;
      const pauseMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempt, 10));
      if (clock.monotonicMs() + pauseMs >= untilMs) break;
      await clock.sleep(pauseMs, waiting).catch(() => undefined);
      if (waiting.aborted) break;
    }
  } finally {
    over.abort(new Error("the publish is over"));
    await alarm;
  }
  signal.throwIfAborted();
  const what = `publish to ${message.subject}: ${messageOf(failure)}`;
  if (sent) throw new StoreUnknownError(`${what}; it may or may not be there`, { cause: failure });
  throw new StoreUnavailableError(what, { cause: failure });
}

type Answer = "acknowledged" | { readonly error: unknown; readonly sent: boolean };

/** One attempt, or two where the stream was missing. Throws what no other attempt would mend. */
async function send(
  connection: NatsConnection,
  { link, stream }: Publisher,
  message: Message,
): Promise<Answer> {
  const { standing } = link;
  const takes = connection.info?.max_payload ?? Infinity;
  const needed = CONTROL_LOG_PAYLOAD_MAX + NATS_LIMITS.envelopeBytes;
  if (message.payload.length + NATS_LIMITS.envelopeBytes > takes)
    throw new StoreLimitError(
      `the NATS server takes messages of ${takes} bytes, and ${needed} are needed: raise its max_payload`,
    );
  const answer = await sendOnce(connection, stream, message, standing);
  if (answer === "acknowledged" || answer.sent) return answer;
  // Nobody took it: there is no stream, as whoever wiped NATS wiped it, or no leader yet.
  try {
    await until(stream.ensure(connection), standing);
  } catch (error) {
    return { error, sent: false };
  }
  return await sendOnce(connection, stream, message, standing);
}

async function sendOnce(
  connection: NatsConnection,
  stream: ControlStream,
  { subject, id, payload }: Message,
  standing: AbortSignal,
): Promise<Answer> {
  try {
    const options = { msgID: id, timeout: NATS_LIMITS.requestMs, expect: { streamName: stream.name } };
    await until(jetstream(connection).publish(subject, payload, options), standing);
    return "acknowledged";
  } catch (error) {
    const refused = refusalIn(error);
    if (refused !== undefined)
      throw new StoreUnavailableError(
        `publish to ${subject}: NATS refuses it to this user (${refused.message}): give it the permissions of deploy/nats`,
        { cause: error },
      );
    const unheard = error instanceof Error && error.name === "JetStreamNotEnabled";
    return { error, sent: !unheard && !(error instanceof JetStreamApiError) };
  }
}

function refusalIn(error: unknown): Error | undefined {
  for (let each = error; each instanceof Error; each = each.cause)
    if (each instanceof errors.PermissionViolationError) return each;
  return undefined;
}
