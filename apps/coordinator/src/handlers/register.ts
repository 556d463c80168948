/**
 * A conductor says that it is there. At head 0, while nobody prepares, it votes at once; later it joins by a
 * proposal of its own (§4). Each start takes the next incarnation; a lower one is refused.
 */
import type { RegisterConductorRequest } from "@greco/contracts/greco/conductor/v1/conductor";
import { auditOperation, keys, type Registrations } from "@greco/control-kit";
import type { Compare, Operation } from "@greco/ports";
import { fault, type CallContext } from "@greco/service-kit";
import type { Coordinator } from "../coordinator.ts";
import { fromBytes } from "../json.ts";
import { conductorName, conductorOf, modelName, modelOf } from "../names.ts";
import type { Parts } from "../parts.ts";
import {
  putConductor,
  putRegistrations,
  readConductor,
  readRegistrations,
  unchanged,
  without,
  type ConductorRecord,
  type Stored,
} from "../store/conductor-store.ts";
import { readSlot } from "../store/slot.ts";
import { toConductor, type ConductorInit } from "../wire/conductor.ts";

export async function registerConductor(
  { parts, driver }: Coordinator,
  request: RegisterConductorRequest,
  context: CallContext,
): Promise<{ conductor: ConductorInit }> {
  const model = modelOf(request.model);
  const conductor = conductorOf(request.name);
  const { signal } = context;
  await requireModel(parts, model, signal);
  for (;;) {
    const [known, registrations] = await Promise.all([
      readConductor(parts.store, model, conductor, signal),
      readRegistrations(parts.store, model, signal),
    ]);
    const { value: before } = known ?? { value: undefined };
    const incarnation = Number(request.incarnation);
    if (before !== undefined && incarnation < before.incarnation) throw oldIncarnation(before, incarnation);
    const record = registered(parts, before, { ...request, model, conductor, incarnation });
    const change = await registrationsAfter(parts, record, registrations, signal);
    if (before !== undefined && same(before, record) && change === undefined)
      return { conductor: toConductor(before, registrations.value) };
    const fresh = before === undefined || before.deregistered !== undefined;
    const { succeeded } = await parts.store.transact(
      {
        compare: [
          unchanged(keys.conductor(model, conductor), known?.revision ?? 0),
          ...(change?.compare ?? []),
        ],
        then: [
          putConductor(record),
          ...(change?.then ?? []),
          ...(fresh || change !== undefined ? [audited(parts, record, context, change !== undefined)] : []),
        ],
      },
      signal,
    );
    if (!succeeded) continue;
    parts.log.info("conductor.registered", { model, conductor, incarnation });
    await driver.conductorsChanged(model);
    return { conductor: toConductor(record, change?.next ?? registrations.value) };
  }
}

export async function requireModel({ store }: Parts, model: string, signal: AbortSignal): Promise<void> {
  const { entries } = await store.range({ key: keys.model(model) }, { limit: 1, keysOnly: true }, signal);
  if (entries.length === 0)
    throw fault.notFound(
      "MODEL_NOT_FOUND",
      modelName(model),
      `there is no model ${model}: list the models, or create it`,
    );
}

type Registering = {
  readonly model: string;
  readonly conductor: ConductorRecord["conductor"];
  readonly kinds: readonly string[];
  readonly incarnation: number;
};

function registered(
  { clock }: Parts,
  before: ConductorRecord | undefined,
  now: Registering,
): ConductorRecord {
  const { model, conductor, incarnation } = now;
  const again = before !== undefined && before.deregistered === undefined;
  const nowMs = clock.nowMs();
  return {
    kinds: [...new Set(now.kinds)].toSorted(),
    registeredAtMs: again ? before.registeredAtMs : nowMs,
    lastHeardAtMs: nowMs,
    ...{ model, conductor, incarnation },
  };
}

/** Nothing but the time of the call differs. */
function same(a: ConductorRecord, b: ConductorRecord): boolean {
  const told = ({ incarnation, kinds, deregistered }: ConductorRecord): string =>
    JSON.stringify([incarnation, kinds, deregistered]);
  return told(a) === told(b);
}

type Change = {
  readonly compare: readonly Compare[];
  readonly then: readonly Operation[];
  readonly next: Registrations;
};

/** Undefined: who votes stays as it is; a conductor that is not active joins by a proposal. */
async function registrationsAfter(
  { store }: Parts,
  { model, conductor, kinds }: ConductorRecord,
  { value, revision }: Stored<Registrations>,
  signal: AbortSignal,
): Promise<Change | undefined> {
  const active = value.active.find((each) => each.conductor === conductor);
  const others = without(value, conductor);
  if (active !== undefined) {
    if (JSON.stringify(active.kinds) === JSON.stringify(kinds)) return undefined;
    const next = { active: [...others.active, { ...active, kinds }], joining: others.joining };
    return {
      compare: [unchanged(keys.registrations(model), revision)],
      then: [putRegistrations(model, next)],
      next,
    };
  }
  const [head, slot] = await Promise.all([
    store.range({ key: keys.head(model) }, { limit: 1 }, signal),
    readSlot(store, model, signal),
  ]);
  const entry = head.entries[0];
  const version = entry === undefined ? 0 : (fromBytes(entry.value) as { version: number }).version;
  // Who comes while somebody prepares joins behind: he is left out of nothing that is committed meanwhile.
  if (version > 0 || slot.record !== undefined) return undefined;
  const next = { active: [...others.active, { conductor, kinds, sinceVersion: 0 }], joining: others.joining };
  return {
    compare: [
      unchanged(keys.registrations(model), revision),
      unchanged(keys.head(model), entry?.modRevision ?? 0),
      unchanged(keys.slot(model), slot.revision),
    ],
    then: [putRegistrations(model, next)],
    next,
  };
}

function audited(
  { clock, ids }: Parts,
  { model, conductor, kinds, incarnation }: ConductorRecord,
  { method }: CallContext,
  active: boolean,
): Operation {
  return auditOperation(model, ids.next(), {
    timeMs: clock.nowMs(),
    actor: conductorName(conductor),
    resource: conductorName(conductor),
    reason: "",
    outcome: active ? "active" : "joining",
    detail: { kinds, incarnation },
    method,
  });
}

function oldIncarnation({ model, conductor, incarnation }: ConductorRecord, given: number): Error {
  const description = `incarnation ${given} of ${conductor} was replaced by ${incarnation}: this process must stop, or start anew and take the next incarnation`;
  return fault.precondition("OLD_INCARNATION", description, [
    { type: "OLD_INCARNATION", subject: `${modelName(model)}/${conductorName(conductor)}`, description },
  ]);
}
