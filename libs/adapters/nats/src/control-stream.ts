/**
 * The JetStream stream of the control log: one a deployment, a subject a model. Made idempotently, by whoever finds
 * it missing and may; made again when NATS was wiped.
 *
 * Positions are the stream's sequence numbers. A stream that is made begins at a number taken from the clock, so the
 * positions of one made after a wipe lie above those that conductors keep in their journals from before it. That is a
 * help, not a promise: a clock may be wrong, a backup may be restored. So a position above the stream's last message
 * is seen, and then the stream is read from its start (control-subscription.ts).
 */
import type { Clock, Log } from "@greco/ports";
import { CONTROL_LOG_PAYLOAD_MAX } from "@greco/ports";
import {
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos, type NatsConnection } from "@nats-io/transport-node";
import { NATS_LIMITS } from "./limits.ts";
import type { Names } from "./subjects.ts";

/** More messages than any log takes in a millisecond; the product stays below 2^53 until the year 2255. */
const POSITIONS_A_MS = 1_000;

/** JetStream's own error codes (server/errors.json). */
const STREAM_NOT_FOUND = 10_059;
const NAME_IN_USE = 10_058;

export type StreamFacts = {
  /** Tells a stream from one that was made in its place. */
  readonly created: string;
  readonly lastPosition: number;
};

export type ControlStreamOptions = {
  readonly names: Names;
  readonly replicas: number;
  /** False: whoever may not make it waits for who may. */
  readonly makes: boolean;
  readonly clock: Clock;
  readonly log: Log;
};

export class ControlStream {
  readonly #options: ControlStreamOptions;
  #upToDate = false;

  constructor(options: ControlStreamOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.names.stream;
  }

  /** As it stands now, made if it is missing. */
  async ensure(connection: NatsConnection): Promise<StreamFacts> {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: NATS_LIMITS.requestMs });
    return factsOf((await this.#found(manager)) ?? (await this.#made(manager)));
  }

  async #found(manager: JetStreamManager): Promise<StreamInfo | undefined> {
    const { log, makes } = this.#options;
    try {
      const info = await manager.streams.info(this.name);
      const wanted = this.#limits();
      if (this.#upToDate || !makes || Object.entries(wanted).every(isIn(info.config))) return info;
      this.#upToDate = true;
      log.info("nats.stream.updated", { stream: this.name });
      return await manager.streams.update(this.name, wanted);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND && makes) return undefined;
      throw error;
    }
  }

  async #made(manager: JetStreamManager): Promise<StreamInfo> {
    const { clock, log, names } = this.#options;
    try {
      const info = await manager.streams.add({
        name: this.name,
        subjects: [names.control],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        first_seq: Math.floor(clock.nowMs()) * POSITIONS_A_MS,
        ...this.#limits(),
      });
      log.info("nats.stream.made", { stream: this.name });
      return info;
    } catch (error) {
      // Another process was quicker; its first position differs.
      if (!(error instanceof JetStreamApiError) || error.code !== NAME_IN_USE) throw error;
      return await manager.streams.info(this.name);
    }
  }

  #limits(): Partial<StreamConfig> {
    return {
      num_replicas: this.#options.replicas,
      max_age: nanos(NATS_LIMITS.retainMs),
      max_bytes: NATS_LIMITS.retainBytes,
      max_msgs_per_subject: NATS_LIMITS.retainMessagesOfModel,
      max_msg_size: CONTROL_LOG_PAYLOAD_MAX + NATS_LIMITS.envelopeBytes,
      duplicate_window: nanos(NATS_LIMITS.repeatWindowMs),
    };
  }
}

const factsOf = ({ created, state }: StreamInfo): StreamFacts => ({ created, lastPosition: state.last_seq });

const isIn =
  (config: StreamConfig) =>
  ([key, value]: [string, unknown]): boolean =>
    config[key as keyof StreamConfig] === value;
