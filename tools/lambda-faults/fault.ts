// What goes wrong, and with which call.
import type { Call } from "./call.ts";
import type { LambdaOperation } from "./operation.ts";

/** `before`: the target never hears of the call. `after`: it has its effect, and the caller is told something else. */
export type When = "before" | "after";

export type What =
  | {
      readonly type: "error";
      readonly status: 409 | 412 | 429 | 500 | 503;
      /** The error's name, as the SDK will have it: `errorCodes` has AWS's own for each status. */
      readonly code: string;
      readonly when: When;
    }
  /** The connection is cut without an answer. */
  | { readonly type: "lost"; readonly when: When }
  /**
   * Of a write that starts an activation: what it started shows Pending (a function, a version), InProgress (an update)
   * or IN_PROGRESS (provisioned concurrency) in its own answer and the next `forms` reads of it.
   */
  | { readonly type: "slow"; readonly forms: number }
  /** Of such a write too: what it started shows Failed from then on, until the next one, or until it is deleted. */
  | { readonly type: "failed"; readonly reason: string }
  /** Nothing; `run` may kill the caller. The call goes on when it is done. */
  | { readonly type: "hook"; readonly when?: When; readonly run?: (call: Call) => void | Promise<void> };

export type Fault = {
  readonly operation: LambdaOperation;
  /** Exactly; any where it is missing. */
  readonly functionName?: string;
  /** Beside these two: what is in the call, or what came before it. Asked once a call, before its hooks. */
  readonly matches?: (call: Call) => boolean;
  /** The nth matching call from arming; the first where it is missing. */
  readonly at?: number;
  /** So many matching calls, from that one on; one where it is missing. The SDK's own repeats are calls. */
  readonly times?: number;
  readonly what: What;
};

/** What AWS calls an error of that status. */
export const errorCodes = {
  409: "ResourceConflictException",
  412: "PreconditionFailedException",
  429: "TooManyRequestsException",
  500: "ServiceException",
  503: "ServiceUnavailable",
} as const;

/** The writes that start an activation, which can be slow and can fail. */
export const activations: readonly LambdaOperation[] = [
  "CreateFunction",
  "UpdateFunctionCode",
  "UpdateFunctionConfiguration",
  "PublishVersion",
  "PutProvisionedConcurrencyConfig",
];

export type Armed = {
  /** Resolves when the first call has met it: for `after`, when it has had its effect. */
  readonly hit: Promise<void>;
  /** How many calls have met it. */
  readonly hits: number;
  disarm(): void;
};

export type Due = { readonly fault: Fault; met(): void };

export type ArmedFaults = {
  /** Throws a TypeError where the fault can never be met. */
  arm(fault: Fault): Armed;
  /** Those that this call meets; each counts the call. */
  due(call: Call): readonly Due[];
  clear(): void;
};

function check({ operation, at = 1, times = 1, what }: Fault): void {
  if (!Number.isInteger(at) || at < 1) throw new TypeError(`at is the nth call, from 1: got ${at}`);
  if (!Number.isInteger(times) || times < 1) throw new TypeError(`times is at least 1: got ${times}`);
  if ((what.type === "slow" || what.type === "failed") && !activations.includes(operation))
    throw new TypeError(`${operation} starts no activation; ${what.type} is of ${activations.join(", ")}`);
}

export function armedFaults(): ArmedFaults {
  const armed = new Set<(call: Call) => Due | undefined>();
  return {
    arm(fault) {
      check(fault);
      const { at = 1, times = 1 } = fault;
      const first = Promise.withResolvers<void>();
      let seen = 0;
      let hits = 0;
      const met = (): void => {
        hits += 1;
        first.resolve();
      };
      const meets = (call: Call): Due | undefined => {
        if (call.operation !== fault.operation) return undefined;
        if (fault.functionName !== undefined && call.functionName !== fault.functionName) return undefined;
        if (fault.matches?.(call) === false) return undefined;
        seen += 1;
        if (seen < at) return undefined;
        if (seen === at + times - 1) armed.delete(meets);
        return { fault, met };
      };
      armed.add(meets);
      return {
        hit: first.promise,
        get hits() {
          return hits;
        },
        disarm: () => void armed.delete(meets),
      };
    },
    due: (call) => [...armed].map((meets) => meets(call)).filter((due) => due !== undefined),
    clear: () => armed.clear(),
  };
}
