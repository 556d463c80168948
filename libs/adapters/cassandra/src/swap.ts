/**
 * Compare-and-swap to its end. An answer that was lost, or that says no, is looked up at LOCAL_SERIAL, which first ends
 * what is still under way; then either something stands that decides, or it is tried again.
 */
import type { Clock } from "@greco/ports";
import { StoreUnknownError } from "@greco/ports";
import { CAS_ATTEMPTS, CAS_BACKOFF_MS } from "./limits.ts";
import type { Session, Statement } from "./session.ts";

/** Time-outs bound every attempt; nobody may stop it between the attempt and the look. */
const never = new AbortController().signal;

export type Swap<T> = {
  /** For the error. */
  readonly what: string;
  readonly statements: readonly Statement[];
  /** What is to be told when it was applied. */
  readonly applied: T;
  /** What stands, after a refusal or a lost answer; undefined: nothing that decides, try again. */
  look(outcome: "refused" | "unknown"): Promise<T | undefined>;
};

export async function swapped<T>(session: Session, clock: Clock, swap: Swap<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await session.swap(swap.statements);
    if (outcome === "applied") return swap.applied;
    const stands = await swap.look(outcome);
    if (stands !== undefined) return stands;
    if (attempt === CAS_ATTEMPTS)
      throw new StoreUnknownError(`${swap.what}: ${attempt} attempts were not answered; read what stands`);
    await clock.sleep(CAS_BACKOFF_MS * attempt, never);
  }
}
