/** Who calls, and who decides whether they may. */
import type { DescMethod, Message } from "@bufbuild/protobuf";

export type ServiceKind = "conductor" | "control" | "runtime";

export type Caller = {
  /** A person's or a service's id, `[a-z0-9-]{1,63}`. */
  readonly subject: string;
  /** Set when the token names a part of Greco, which then acts as that part alone. */
  readonly service?: { readonly kind: ServiceKind; readonly name: string };
};

/** One interceptor asks it, for every call of every transport (I14). Refusals are faults. */
export interface Authority {
  /** `authorization` is the header's value. UNAUTHENTICATED when it is absent or does not hold. */
  authenticate(authorization: string | undefined, method: DescMethod): Caller | Promise<Caller>;
  /** PERMISSION_DENIED, naming the missing role. `request` is the decoded and checked (first) message. */
  authorize(caller: Caller, method: DescMethod, request: Message, signal: AbortSignal): void | Promise<void>;
}
