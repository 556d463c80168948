/** What is done to the query, cell by cell: each is one proposal. */
import type { Fault } from "../../../../../tools/lambda-faults/fault.ts";

/** What the query says, as far as it changes. */
export type QueryState = {
  /** Its code: what it multiplies by, never twice the same. */
  readonly factor: number;
  readonly memoryMb: number;
  readonly reserved: number;
  readonly provisioned: number;
};

export const OPERATIONS = [
  "create, aborted",
  "create",
  "code, aborted",
  "code",
  "configuration",
  "delete",
] as const;
export type OperationName = (typeof OPERATIONS)[number];

export type Operation = {
  readonly name: OperationName;
  /** Whether there is the query before it. */
  readonly on: "absent" | "present";
  /** Undefined: it is deleted. */
  next(before: QueryState | undefined, factor: number): QueryState | undefined;
  /** What aborts it: the version that it publishes is broken. */
  readonly aborts: boolean;
};

const FIRST = { memoryMb: 256, reserved: 2, provisioned: 1 };

const created = (_before: QueryState | undefined, factor: number): QueryState => ({ ...FIRST, factor });
const coded = (before: QueryState | undefined, factor: number): QueryState => ({
  ...(before ?? FIRST),
  factor,
});

/** Memory makes another version; more is reserved, as it must be while both are kept warm. */
function configured(before: QueryState | undefined, factor: number): QueryState {
  const { memoryMb, reserved, provisioned } = before ?? FIRST;
  return {
    factor: before?.factor ?? factor,
    memoryMb: memoryMb === 256 ? 512 : 256,
    reserved: Math.max(4, reserved + 1),
    provisioned: provisioned === 1 ? 2 : 1,
  };
}

export const operations: Readonly<Record<OperationName, Operation>> = {
  "create, aborted": { name: "create, aborted", on: "absent", next: created, aborts: true },
  create: { name: "create", on: "absent", next: created, aborts: false },
  "code, aborted": { name: "code, aborted", on: "present", next: coded, aborts: true },
  code: { name: "code", on: "present", next: coded, aborts: false },
  configuration: { name: "configuration", on: "present", next: configured, aborts: false },
  delete: { name: "delete", on: "present", next: () => undefined, aborts: false },
};

/** Whatever else goes wrong with an operation that is to be aborted. */
export const BROKEN: Pick<Fault, "operation" | "what"> = {
  operation: "PublishVersion",
  what: { type: "failed", reason: "It is broken." },
};
