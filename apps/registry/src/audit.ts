/** The audit record of a call, for the transaction that it tells of. */
import { auditOperation } from "@greco/control-kit";
import type { Operation } from "@greco/ports";
import type { CallContext } from "@greco/service-kit";
import type { Registry } from "./registry.ts";

export type Told = {
  readonly resource: string;
  readonly outcome: string;
  readonly reason?: string;
  /** On whose behalf, where a service of the control plane calls. */
  readonly actor?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
};

export function audited(
  { ids, clock }: Registry,
  { caller, method }: Pick<CallContext, "caller" | "method">,
  model: string,
  { resource, outcome, reason = "", actor, detail }: Told,
): Operation {
  return auditOperation(model, ids.next(), {
    timeMs: clock.nowMs(),
    actor: actor ?? subjectOf(caller),
    method,
    resource,
    reason,
    outcome,
    ...(detail === undefined ? {} : { detail }),
  });
}

export function subjectOf({ subject, service }: CallContext["caller"]): string {
  return service === undefined ? subject : `${service.kind}:${service.name}`;
}
