/** From a stream's resource name to the stream in force, with its binding; or a fault that says precisely why not. */
import type { BindingRef } from "@greco/domain/epoch";
import { BUILT_IN_STREAMS } from "@greco/domain/epoch";
import type { EntityIdentity, EntityName } from "@greco/domain/model";
import { entityKey, entityName, modelId, parseEntityIdentity } from "@greco/domain/model";
import { BindingMissingError } from "@greco/lane-kit";
import { fault, nearest } from "@greco/service-kit";
import type { ModelHost } from "./model-host.ts";
import type { StreamBinding } from "./stream-bindings.ts";

/** Finds the host of a model; `refresh` looks at the stores first. */
export type Hosts = { get(model: string, signal: AbortSignal): Promise<ModelHost> };

export type StreamTarget = {
  readonly host: ModelHost;
  /** `models/m/streams/s` */
  readonly resource: string;
  readonly name: EntityName;
  readonly stream: EntityIdentity;
  /** Undefined: built in. */
  readonly ref: BindingRef | undefined;
};

const RESOURCE = /^models\/([a-z0-9-]{1,63})\/streams\/([a-z0-9-]{1,63})$/;

/** `models/m` → `m`; the contract has checked the form. */
export function parentModel(parent: string): string {
  return modelId(parent.replace(/^models\//, ""));
}

export async function findStream(hosts: Hosts, resource: string, signal: AbortSignal): Promise<StreamTarget> {
  const match = RESOURCE.exec(resource);
  if (match === null) {
    const description = "must be models/{model}/streams/{stream}, ids of [a-z0-9-]{1,63}";
    throw fault.invalid("INVALID_NAME", `stream ${description}`, [{ field: "stream", description }]);
  }
  const [, model = "", given = ""] = match;
  const host = await hosts.get(model, signal);
  const name = entityName(given);
  return inForce(host, resource, name) ?? (await lookAgain(host, resource, name, signal));
}

/** The stream in force now, at the newest epoch. */
export function inForce(host: ModelHost, resource: string, name: EntityName): StreamTarget | undefined {
  const { index, newest } = host.ledger;
  const stream = index.identityAt(newest, entityKey("stream", name));
  if (stream === undefined) return undefined;
  const ref = index.bindingAt(newest, stream);
  return { host, resource, name, stream, ref };
}

async function lookAgain(
  host: ModelHost,
  resource: string,
  name: EntityName,
  signal: AbortSignal,
): Promise<StreamTarget> {
  // It may have been committed a moment ago.
  await host.ledger.refresh(signal);
  const found = inForce(host, resource, name);
  if (found !== undefined) return found;
  const { index, model } = host.ledger;
  const former = index.identitiesOf(entityKey("stream", name)).at(-1);
  if (former !== undefined) {
    const since = index.changesOf(former).at(-1);
    throw fault.notFound(
      "STREAM_REMOVED",
      resource,
      `stream ${name} of model ${model} was removed by epoch ${since}: publish to another, or commit it again`,
      { metadata: { removedByEpoch: String(since) } },
    );
  }
  throw unknownStream(host, name);
}

/** A stream that is or was: its lanes outlive it. */
export async function checkKnown(host: ModelHost, name: string, signal: AbortSignal): Promise<void> {
  const isKnown = (): boolean =>
    BUILT_IN_STREAMS.some((stream) => parseEntityIdentity(stream).name === name) ||
    host.ledger.index.identitiesOf(entityKey("stream", name)).length > 0;
  if (isKnown()) return;
  await host.ledger.refresh(signal);
  if (!isKnown()) throw unknownStream(host, name);
}

function unknownStream({ ledger: { index, newest, model } }: ModelHost, name: string): Error {
  const names = index
    .entitiesOf("stream")
    .filter((stream) => index.bindingAt(newest, stream) !== undefined)
    .map((stream) => parseEntityIdentity(stream).name);
  const near = nearest(name, names);
  const hint = near === undefined ? "" : `: did you mean ${near}?`;
  return fault.notFound(
    "UNKNOWN_STREAM",
    `models/${model}/streams/${name}`,
    `model ${model} has no stream ${name} at epoch ${newest}${hint}`,
    near === undefined ? {} : { metadata: { nearest: `models/${model}/streams/${near}` } },
  );
}

export function isBuiltIn(stream: EntityIdentity): boolean {
  return BUILT_IN_STREAMS.includes(stream);
}

/** The binding, ready for use; UNAVAILABLE where the data plane has none (I12: nobody goes on with another). */
export async function bindingOf(
  host: ModelHost,
  ref: BindingRef,
  signal: AbortSignal,
): Promise<StreamBinding> {
  try {
    return host.streams.peek(ref) ?? (await host.streams.load(ref, signal));
  } catch (error) {
    if (!(error instanceof BindingMissingError)) throw error;
    throw fault.unavailable("BINDING_MISSING", error.message, {
      cause: error,
      retryAfterMs: host.context.limits.retryAfterMs,
    });
  }
}

/** Who may is said by the stream's binding, so it is decided with the control plane down (§5 Authority). */
export function checkAccess(
  target: StreamTarget,
  binding: StreamBinding | undefined,
  subject: string,
  what: "publish" | "subscribe",
): void {
  const allowed = binding?.content.access?.[what];
  if (allowed === undefined || allowed.includes(subject)) return;
  throw fault.denied(
    `${what === "publish" ? "publisher" : "subscriber"} of ${target.resource}`,
    `${subject} may not ${what} to ${target.resource}: add the subject to access.${what} of the stream and commit it`,
    { metadata: { resource: target.resource, subject } },
  );
}
