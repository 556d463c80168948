/** The audit log is part of the store: its record is an operation in the transaction that it tells of. */
import type { Operation } from "@greco/ports";
import { keys } from "./keys.ts";

export type Audit = {
  readonly timeMs: number;
  readonly actor: string;
  /** `greco.commit.v1.CommitService/MakeItSo` */
  readonly method: string;
  readonly resource: string;
  readonly reason: string;
  readonly outcome: string;
  readonly detail?: Readonly<Record<string, unknown>>;
};

/** `id` must be new (`Ids.next()`): the record is created, never rewritten. */
export function auditOperation(model: string, id: string, audit: Audit): Operation {
  return { type: "put", key: keys.audit(model, id), value: new TextEncoder().encode(JSON.stringify(audit)) };
}
