/** Creates with a request_id: a repeat gets the first answer, another request under the same id is refused. */
import { requestFingerprint, requestKey, type RequestRecord } from "@greco/control-kit";
import type { Compare, Operation } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { Registry } from "./registry.ts";
import { put, readRecord } from "./store/json.ts";

export type Request = {
  readonly model: string;
  readonly requestId: string;
  /** Method and parameters, in whatever form: two requests are the same if this is. */
  readonly of: unknown;
  /** Of the call behind this one, instead. */
  readonly fingerprint?: string | undefined;
};

/** The name of what this request has made already. */
export async function madeBefore(
  { store }: Registry,
  request: Request,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (request.requestId === "") return undefined;
  const found = await readRecord<RequestRecord>(store, keyOf(request), signal);
  if (found === undefined) return undefined;
  if (found.value.fingerprint === fingerprintOf(request)) return found.value.name;
  const description = `${JSON.stringify(request.requestId)} was used for another request, which made ${found.value.name}: take a new one`;
  throw fault.invalid("REQUEST_ID_REUSED", `request_id ${description}`, [
    { field: "request_id", description },
  ]);
}

/** For the transaction that makes it. */
export function remembering(
  { clock }: Registry,
  request: Request,
  name: string,
): { readonly compare: readonly Compare[]; readonly then: readonly Operation[] } {
  if (request.requestId === "") return { compare: [], then: [] };
  const key = keyOf(request);
  const record: RequestRecord = { fingerprint: fingerprintOf(request), name, timeMs: clock.nowMs() };
  return {
    compare: [{ key, target: "createRevision", is: "=", value: 0 }],
    then: [put(key, record)],
  };
}

const keyOf = ({ model, requestId }: Request): string => requestKey(model, requestId);

const fingerprintOf = ({ of, fingerprint }: Request): string => fingerprint ?? requestFingerprint(of);
