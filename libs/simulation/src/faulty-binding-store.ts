/** A binding store behind a bad network. A journal's records may come twice: they are bound to their sequence. */
import type { BindingStore, Clock } from "@greco/ports";
import {
  type CallKind,
  createNetwork,
  type FaultControl,
  type StoreFaults,
  throughNetwork,
} from "./faulty-store.ts";
import type { Random } from "./random.ts";

const KINDS = {
  putBindings: "write",
  getBinding: "read",
  listBindings: "read",
  listCandidates: "read",
  deleteBinding: "write",
  putSnapshot: "repeatable",
  getSnapshot: "read",
  takeConductor: "write",
  readConductor: "read",
  renewConductor: "write",
  appendJournal: "repeatable",
  readJournal: "read",
  compactJournal: "repeatable",
} as const satisfies Record<Exclude<keyof BindingStore, typeof Symbol.asyncDispose>, CallKind>;

export function faultyBindingStore(
  store: BindingStore,
  random: Random,
  faults: StoreFaults & { readonly clock: Clock },
): BindingStore & FaultControl {
  return throughNetwork(store, KINDS, createNetwork(random, faults.clock, faults));
}
