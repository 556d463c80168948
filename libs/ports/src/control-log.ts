/**
 * The control log: one way, from the control plane to conductors. It may lose, repeat and reorder;
 * the truth is in the CP store, and the coordinator announces open work again until it is answered.
 * Embedded | JetStream.
 */
export type LogMessage = {
  /** Position in this log's retention; only for resuming. */
  readonly position: number;
  readonly payload: Uint8Array;
};

/** JetStream's default limit; larger commands go in chunks. */
export const CONTROL_LOG_PAYLOAD_MAX = 1_000_000;

export interface ControlLog extends AsyncDisposable {
  /** Durable when it resolves. `messageId` drops a repeat within the log's window. */
  publish(model: string, messageId: string, payload: Uint8Array, signal: AbortSignal): Promise<void>;
  /**
   * Messages of one model behind `afterPosition` (or from the oldest that is retained), then as they
   * come, until the signal aborts. A position above all that there is belongs to a log that is gone: then
   * all is new, from the oldest on.
   */
  subscribe(model: string, afterPosition: number, signal: AbortSignal): AsyncIterable<LogMessage>;
}
