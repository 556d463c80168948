/**
 * What a query has to do with the messages of one epoch in one stream. It follows from the ledger and the bindings
 * alone, so every runtime comes to the same, for ever (I6).
 */
import type { EntityIdentity } from "@greco/domain/model";
import type { Program } from "@greco/ports";

export type Duty = {
  readonly program: Program;
  /** The stream that its outputs go to. Absent: it acts on the outside only, and crossings are recorded (R7). */
  readonly to?: { readonly stream: EntityIdentity; readonly retentionMs?: number };
  readonly onError: { readonly retries: number; readonly then: "dead-letter" | "skip" };
};

/**
 * `idle`: the query does not read this stream at that epoch, but may again. `over`: it has been removed, and never
 * comes back: deleted and made again, it is another entity.
 */
export type DutyAt = Duty | "idle" | "over";

export function isDuty(duty: DutyAt | undefined): duty is Duty {
  return typeof duty === "object";
}
