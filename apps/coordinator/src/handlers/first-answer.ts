/** A repeat of a call with a request_id gets its first answer, whatever the model waits for by now. */
import { requestFingerprint, requestKey, type RequestRecord } from "@greco/control-kit";
import type { ModelId } from "@greco/domain/model";
import type { Compare, Operation } from "@greco/ports";
import { fault } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { fromBytes, toBytes } from "../json.ts";
import { proposalName } from "../names.ts";
import type { Parts } from "../parts.ts";
import type { StoredProposal } from "../store/proposal-store.ts";

export type Asked = {
  readonly model: ModelId;
  /** Empty: none was given. */
  readonly requestId: string;
  readonly fingerprint: string;
};

/** `of`: all that makes it another request. */
export function asked(model: ModelId, requestId: string, of: unknown): Asked {
  return { model, requestId, fingerprint: requestFingerprint(of) };
}

/** The proposal that the request has made, or ended, already. */
export async function firstAnswer(
  { parts, proposals }: Pick<Coordinator, "parts" | "proposals">,
  { model, requestId, fingerprint }: Asked,
  signal: AbortSignal,
): Promise<StoredProposal | undefined> {
  if (requestId === "") return undefined;
  const { entries } = await parts.store.range({ key: requestKey(model, requestId) }, { limit: 1 }, signal);
  if (entries[0] === undefined) return undefined;
  const made = fromBytes(entries[0].value) as RequestRecord;
  if (made.fingerprint === fingerprint) return await proposals.read(model, made.name, signal);
  const description = `${JSON.stringify(requestId)} was used for another request, which made ${proposalName(model, made.name)}: take a new one`;
  throw fault.invalid("REQUEST_ID_REUSED", `request_id ${description}`, [
    { field: "request_id", description },
  ]);
}

/** For the transaction that does what it asks for. */
export function remembering(
  { clock }: Parts,
  { model, requestId, fingerprint }: Asked,
  proposal: string,
): { readonly compare: readonly Compare[]; readonly then: readonly Operation[] } {
  if (requestId === "") return { compare: [], then: [] };
  const key = requestKey(model, requestId);
  const record: RequestRecord = { fingerprint, name: proposal, timeMs: clock.nowMs() };
  return {
    compare: [{ key, target: "createRevision", is: "=", value: 0 }],
    then: [{ type: "put", key, value: toBytes(record) }],
  };
}
