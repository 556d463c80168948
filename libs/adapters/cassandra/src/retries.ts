/** When the driver sends a request again by itself: never what may not be repeated, and never at a lower consistency. */
import { policies, type types } from "cassandra-driver";

const { RetryPolicy } = policies.retry;
type Info = policies.retry.OperationInfo;
type Consistency = types.consistencies;
type Decision = policies.retry.DecisionInfo;

/** One more attempt, at the next node, for statements marked idempotent; time-outs of writes are the caller's to read back. */
export class IdempotentRetryPolicy extends RetryPolicy {
  override onUnavailable(info: Info, consistency: Consistency): Decision {
    return this.#once(info, consistency);
  }

  override onReadTimeout(info: Info, consistency: Consistency): Decision {
    return this.#once(info, consistency);
  }

  override onWriteTimeout(): Decision {
    return this.rethrowResult();
  }

  override onRequestError(info: Info, consistency: Consistency): Decision {
    return this.#once(info, consistency);
  }

  #once(info: Info, consistency: Consistency): Decision {
    const again = info.nbRetry === 0 && info.executionOptions.isIdempotent();
    return again ? this.retryResult(consistency, false) : this.rethrowResult();
  }
}
