/**
 * A hint that something is new. May be lost, repeated, late: whoever waits for one also polls.
 * Embedded | core NATS.
 */
export interface Wake extends AsyncDisposable {
  notify(topic: string): void;
  /** Calls `listener` at each hint until the returned function is called. */
  listen(topic: string, listener: () => void): () => void;
}

/** Topics: a lane has new entries; a model's ledger grew; a model has a new lane or a lane ended. */
export const wakeTopics = {
  lane: (lane: string): string => `lane.${lane}`,
  ledger: (model: string): string => `ledger.${model}`,
  lanes: (model: string): string => `lanes.${model}`,
} as const;
