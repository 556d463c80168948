/** When the driver sends a request again by itself: never what may not be repeated, and never at a lower consistency. */
import { policies, type types } from "cassandra-driver";

const { RetryPolicy } = policies.retry;
type Info = policies.retry.OperationInfo;
type Consistency = types.consistencies;
type Decision = policies.retry.DecisionInfo;

/** Of a read at LOCAL_SERIAL: proposals of others make it fail at once, with the code of a write's time-out. */
const SERIAL_READ_RETRIES = 4;

/**
 * One more attempt, at the next node, for what is marked idempotent: reads, and writes of the same content to the same
 * key. Compare-and-swaps are not: their outcome is looked up (swap.ts).
 */
export class IdempotentRetryPolicy extends RetryPolicy {
  override onUnavailable(info: Info, consistency: Consistency): Decision {
    return this.#again(info, consistency, 1);
  }

  override onReadTimeout(info: Info, consistency: Consistency): Decision {
    return this.#again(info, consistency, 1);
  }

  override onWriteTimeout(
    info: Info,
    consistency: Consistency,
    _received: number,
    _blockFor: number,
    writeType: string,
  ): Decision {
    return this.#again(info, consistency, writeType === "CAS" ? SERIAL_READ_RETRIES : 1);
  }

  override onRequestError(info: Info, consistency: Consistency): Decision {
    return this.#again(info, consistency, 1);
  }

  #again(info: Info, consistency: Consistency, times: number): Decision {
    const again = info.nbRetry < times && info.executionOptions.isIdempotent();
    return again ? this.retryResult(consistency, false) : this.rethrowResult();
  }
}
