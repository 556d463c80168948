/**
 * Conductors of a model: who they are (one record each, apart, so that a restart disturbs no promote), and who
 * of them votes (the registrations, one record that promote compares as a whole).
 */
import {
  decodeRegistrations,
  encodeRegistrations,
  keys,
  noRegistrations,
  type Registrations,
} from "@greco/control-kit";
import { conductorId, type ConductorId } from "@greco/domain/model";
import type { Compare, CpStore, KeyValue, Operation } from "@greco/ports";
import { fromBytes, toBytes } from "../json.ts";

export type ConductorRecord = {
  readonly model: string;
  readonly conductor: ConductorId;
  readonly kinds: readonly string[];
  readonly incarnation: number;
  readonly registeredAtMs: number;
  readonly lastHeardAtMs: number;
  /** Set: it was deregistered, and must register anew. */
  readonly deregistered?: { readonly by: string; readonly reason: string; readonly atMs: number };
};

export type Stored<T> = { readonly value: T; readonly revision: number };

export async function readConductor(
  store: CpStore,
  model: string,
  conductor: string,
  signal: AbortSignal,
): Promise<Stored<ConductorRecord> | undefined> {
  const { entries } = await store.range({ key: keys.conductor(model, conductor) }, { limit: 1 }, signal);
  return entries[0] === undefined ? undefined : decodeConductor(entries[0]);
}

export function decodeConductor(entry: KeyValue): Stored<ConductorRecord> {
  return { value: fromBytes(entry.value) as ConductorRecord, revision: entry.modRevision };
}

/** Of a model, or of all. */
export async function listConductors(
  store: CpStore,
  model: string | undefined,
  signal: AbortSignal,
): Promise<readonly ConductorRecord[]> {
  const prefix = model === undefined ? keys.allConductors() : keys.conductors(model);
  const { entries } = await store.range({ prefix }, {}, signal);
  return entries.map((entry) => decodeConductor(entry).value);
}

/** Who may answer, and is waited for. */
export async function registeredConductors(
  store: CpStore,
  model: string,
  signal: AbortSignal,
): Promise<ReadonlySet<ConductorId>> {
  const all = await listConductors(store, model, signal);
  return new Set(
    all.filter((each) => each.deregistered === undefined).map((each) => conductorId(each.conductor)),
  );
}

export async function readRegistrations(
  store: CpStore,
  model: string,
  signal: AbortSignal,
): Promise<Stored<Registrations>> {
  const { entries } = await store.range({ key: keys.registrations(model) }, { limit: 1 }, signal);
  const entry = entries[0];
  return entry === undefined
    ? { value: noRegistrations, revision: 0 }
    : { value: decodeRegistrations(entry.value), revision: entry.modRevision };
}

export function putConductor(record: ConductorRecord): Operation {
  return { type: "put", key: keys.conductor(record.model, record.conductor), value: toBytes(record) };
}

export function putRegistrations(model: string, registrations: Registrations): Operation {
  return { type: "put", key: keys.registrations(model), value: encodeRegistrations(registrations) };
}

export function unchanged(key: string, revision: number): Compare {
  return { key, target: "modRevision", is: "=", value: revision };
}

/** Stands in no list any more. */
export function without(registrations: Registrations, conductor: string): Registrations {
  const others = (each: { readonly conductor: string }): boolean => each.conductor !== conductor;
  return { active: registrations.active.filter(others), joining: registrations.joining.filter(others) };
}
