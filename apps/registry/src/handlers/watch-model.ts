/**
 * A model as it changes: its head and its settings. Every head is told, in order; a reader that goes on from a
 * revision may hear again what it knew, and misses nothing. Marks say how far it is when nothing happens.
 */
import type { WatchModelRequest, WatchModelResponse } from "@greco/contracts/greco/registry/v1/registry";
import { CompactedError } from "@greco/ports";
import { fault, type CallContext } from "@greco/service-kit";
import { modelOf } from "../names.ts";
import type { Registry } from "../registry.ts";

export async function* watchModel(
  { directory, modelFeeds }: Registry,
  request: WatchModelRequest,
  { signal }: CallContext,
): AsyncGenerator<WatchModelResponse, void, undefined> {
  const model = modelOf(request.name);
  await directory.model(model, signal);
  const from = Number(request.fromRevision);
  try {
    yield* modelFeeds.from(model, from === 0 ? undefined : from, signal);
  } catch (error) {
    throw error instanceof CompactedError || isFuture(error) ? gone(from, error) : error;
  }
}

function isFuture(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("future");
}

function gone(from: number, cause: unknown): Error {
  return fault.outOfRange(
    "REVISION_GONE",
    `the store does not hold revision ${from} (any more): watch from 0 and take the present state`,
    { cause },
  );
}
