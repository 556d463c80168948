/**
 * Answers that reached a replica which does not drive: left in the store, under a lease, for the one that does.
 * So a conductor may be connected to any replica. Each is at most the size of a message, in parts.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  AnswerCommandRequestSchema,
  type AnswerCommandRequest,
} from "@greco/contracts/greco/conductor/v1/conductor";
import { keys } from "@greco/control-kit";
import type { CpStore, KeyValue } from "@greco/ports";
import type { CoordinatorLimits } from "../limits.ts";
import { conductorOf, modelOf } from "../names.ts";

export async function leaveAnswer(
  store: CpStore,
  request: AnswerCommandRequest,
  limits: Pick<CoordinatorLimits, "answerTtlMs" | "partBytes">,
  signal: AbortSignal,
): Promise<void> {
  const bytes = toBinary(AnswerCommandRequestSchema, request);
  const prefix = keys.answer(modelOf(request.model), request.commandId, conductorOf(request.conductor));
  const lease = await store.grantLease(limits.answerTtlMs, signal);
  const count = Math.max(1, Math.ceil(bytes.length / limits.partBytes));
  for (let index = 0; index < count; index += 1) {
    const value = bytes.subarray(index * limits.partBytes, (index + 1) * limits.partBytes);
    const key = `${prefix}${count}-${index}`;
    await store.transact({ compare: [], then: [{ type: "put", key, value, lease }] }, signal);
  }
}

/** The whole answer, if this was its last part. */
export async function answerOf(
  store: CpStore,
  { key }: Pick<KeyValue, "key">,
  signal: AbortSignal,
): Promise<AnswerCommandRequest | undefined> {
  const at = key.lastIndexOf("/") + 1;
  const count = Number(key.slice(at).split("-")[0]);
  const { entries } = await store.range({ prefix: `${key.slice(0, at)}${count}-` }, {}, signal);
  if (entries.length < count) return undefined;
  const parts = entries.toSorted((a, b) => partIndex(a) - partIndex(b)).map((entry) => entry.value);
  return fromBinary(AnswerCommandRequestSchema, Buffer.concat(parts));
}

const partIndex = ({ key }: KeyValue): number => Number(key.slice(key.lastIndexOf("-") + 1));
