/** Conductors of a model: shown, and deregistered by an admin (audited; §4). */
import type {
  DeregisterConductorRequest,
  GetConductorRequest,
  ListConductorsRequest,
  ListConductorsResponseSchema,
} from "@greco/contracts/greco/conductor/v1/conductor";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  auditOperation,
  decodeRegistrations,
  keys,
  noRegistrations,
  roleOf,
  type Registrations,
} from "@greco/control-kit";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { requireModel } from "./register.ts";
import { conductorName, conductorOf, modelName, modelOf, optionalModelOf } from "../names.ts";
import { pageOf, tokenOf } from "../page.ts";
import {
  decodeConductor,
  putConductor,
  putRegistrations,
  readConductor,
  readRegistrations,
  unchanged,
  without,
  type ConductorRecord,
} from "../store/conductor-store.ts";
import { toConductor, type ConductorInit } from "../wire/conductor.ts";

export async function getConductor(
  { parts }: Coordinator,
  request: GetConductorRequest,
  { signal }: CallContext,
): Promise<ConductorInit> {
  const model = modelOf(request.model);
  const conductor = conductorOf(request.name);
  const [record, registrations] = await Promise.all([
    readConductor(parts.store, model, conductor, signal),
    readRegistrations(parts.store, model, signal),
  ]);
  if (record === undefined) throw noConductor(model, conductor);
  return toConductor(record.value, registrations.value);
}

/** Of one model, or of all; of those that the caller may view (I14). */
export async function listConductors(
  { parts }: Coordinator,
  request: ListConductorsRequest,
  context: CallContext,
): Promise<MessageInitShape<typeof ListConductorsResponseSchema>> {
  const { store, limits } = parts;
  const { signal } = context;
  const model = optionalModelOf(request.model);
  const mayView = viewing(parts, context);
  // As the registry answers: there is no model, or no role in it.
  if (model !== undefined) await requireModel(parts, model, signal);
  if (model !== undefined && !(await mayView(model))) throw notAViewer(model, context);
  const prefix = model === undefined ? keys.allConductors() : keys.conductors(model);
  const { size, after } = pageOf(request, prefix, limits);
  const records: ConductorRecord[] = [];
  let last = after;
  let more = true;
  while (more && records.length < size) {
    const range = { prefix, ...(last === undefined ? {} : { after: last }) };
    const page = await store.range(range, { limit: size - records.length }, signal);
    for (const entry of page.entries) {
      const { value } = decodeConductor(entry);
      if (await mayView(value.model)) records.push(value);
    }
    last = page.entries.at(-1)?.key ?? last;
    more = page.more;
  }
  const registrations = await registrationsOf(parts, new Set(records.map((each) => each.model)), signal);
  return {
    conductors: records.map((each) => toConductor(each, registrations.get(each.model) ?? noRegistrations)),
    nextPageToken: more && last !== undefined ? tokenOf(prefix, last) : "",
  };
}

/** Parts of Greco may view every model; a person, those in which he has a role. Asked once a model and call. */
function viewing(
  { store }: Coordinator["parts"],
  { caller, signal }: CallContext,
): (model: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  return async (model) => {
    if (caller.service !== undefined) return true;
    const asked =
      known.get(model) ?? roleOf(store, model, caller.subject, signal).then((role) => role !== undefined);
    known.set(model, asked);
    return await asked;
  };
}

function notAViewer(model: string, { caller }: CallContext): Error {
  return fault.denied(
    "viewer",
    `ListConductors needs the role viewer in ${modelName(model)}, and ${caller.subject} has no role there: an admin of ${modelName(model)} can grant it`,
    { metadata: { subject: caller.subject, model: modelName(model), heldRole: "none" } },
  );
}

async function registrationsOf(
  { store }: Coordinator["parts"],
  models: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Registrations>> {
  const found = await Promise.all(
    [...models].map(async (model) => {
      const { entries } = await store.range({ key: keys.registrations(model) }, { limit: 1 }, signal);
      return [
        model,
        entries[0] === undefined ? noRegistrations : decodeRegistrations(entries[0].value),
      ] as const;
    }),
  );
  return new Map(found);
}

/** What it votes on aborts, and it is waited for no more; both by whoever drives. */
export async function deregisterConductor(
  { parts, driver }: Coordinator,
  request: DeregisterConductorRequest,
  { signal, caller, method }: CallContext,
): Promise<ConductorInit> {
  const { store, clock, ids, log } = parts;
  const model = modelOf(request.model);
  const conductor = conductorOf(request.name);
  const { reason } = request;
  for (;;) {
    const [known, registrations] = await Promise.all([
      readConductor(store, model, conductor, signal),
      readRegistrations(store, model, signal),
    ]);
    if (known === undefined) throw noConductor(model, conductor);
    if (known.value.deregistered !== undefined)
      throw deregisteredBefore(model, conductor, known.value.deregistered.by);
    const nowMs = clock.nowMs();
    const record = { ...known.value, deregistered: { by: caller.subject, atMs: nowMs, reason } };
    const next = without(registrations.value, conductor);
    const resource = `${modelName(model)}/${conductorName(conductor)}`;
    const { succeeded } = await store.transact(
      {
        compare: [
          unchanged(keys.conductor(model, conductor), known.revision),
          unchanged(keys.registrations(model), registrations.revision),
        ],
        then: [
          putConductor(record),
          putRegistrations(model, next),
          auditOperation(model, ids.next(), {
            timeMs: nowMs,
            actor: caller.subject,
            outcome: "deregistered",
            ...{ method, resource, reason },
          }),
        ],
      },
      signal,
    );
    if (!succeeded) continue;
    log.warn("conductor.deregistered", { model, conductor, by: caller.subject, reason });
    await driver.conductorsChanged(model);
    return toConductor(record, next);
  }
}

function noConductor(model: string, conductor: string): Error {
  return fault.notFound(
    "CONDUCTOR_NOT_FOUND",
    `${modelName(model)}/${conductorName(conductor)}`,
    `${model} knows no conductor ${conductor}: list its conductors`,
  );
}

function deregisteredBefore(model: string, conductor: string, by: string): Error {
  const description = `${conductor} was deregistered already, by ${by}`;
  return fault.precondition("ALREADY_DEREGISTERED", description, [
    { type: "ALREADY_DEREGISTERED", subject: `${modelName(model)}/${conductorName(conductor)}`, description },
  ]);
}
