/** Bindings, snapshots, conductors' leases and journals on SQLite (libs/ports/src/binding-store.ts); R6, I1. */
import type { BindingStore } from "@greco/ports";
import { BINDING_SCHEMA } from "./binding-schema.ts";
import * as bindings from "./bindings.ts";
import type { EmbeddedOptions } from "./cp-store.ts";
import { openDatabase } from "./database.ts";
import * as journal from "./journal.ts";

export async function openEmbeddedBindingStore({ path }: EmbeddedOptions): Promise<BindingStore> {
  const database = await openDatabase(path, BINDING_SCHEMA);
  const { read, write } = database;

  return {
    putBindings: (all, signal) => write(() => bindings.putBindings(database, all), signal),
    getBinding: (model, entity, candidate, signal) =>
      read(() => bindings.getBinding(database, model, entity, candidate), signal),
    listBindings: (model, candidate, signal) =>
      read(() => bindings.listBindings(database, model, candidate), signal),
    listCandidates: (model, signal) => read(() => bindings.listCandidates(database, model), signal),
    deleteBinding: (model, entity, candidate, signal) =>
      write(() => bindings.deleteBinding(database, model, entity, candidate), signal),
    putSnapshot: (snapshot, signal) => write(() => bindings.putSnapshot(database, snapshot), signal),
    getSnapshot: (model, epoch, signal) => read(() => bindings.getSnapshot(database, model, epoch), signal),

    takeConductor: (model, conductor, signal) =>
      write(() => journal.takeConductor(database, model, conductor), signal),
    readConductor: (model, conductor, signal) =>
      read(() => journal.readConductor(database, model, conductor), signal),
    renewConductor: (model, conductor, lease, signal) =>
      write(() => journal.renewConductor(database, model, conductor, lease), signal),
    appendJournal: (model, conductor, incarnation, records, signal) =>
      write(() => journal.appendJournal(database, model, conductor, incarnation, records), signal),
    readJournal: (model, conductor, afterSequence, limit, signal) =>
      read(() => journal.readJournal(database, model, conductor, afterSequence, limit), signal),
    compactJournal: (model, conductor, incarnation, upToSequence, summary, signal) =>
      write(
        () => journal.compactJournal(database, model, conductor, incarnation, upToSequence, summary),
        signal,
      ),

    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
