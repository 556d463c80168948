/**
 * Bindings, snapshots, conductors' leases and journals on Cassandra (libs/ports/src/binding-store.ts). What is swapped is
 * swapped at the site of this store: a conductor's processes all name the same, its home site (DESIGN §4).
 */
import type { BindingStore } from "@greco/ports";
import { Bindings } from "./bindings.ts";
import type { Core } from "./core.ts";
import { Gate } from "./gate.ts";
import { Journal } from "./journal.ts";
import { modelKey } from "./keys.ts";
import type { CassandraOptions } from "./options.ts";
import { openSites } from "./sites.ts";
import { Snapshots } from "./snapshots.ts";

/** Connects, brings the keyspace to this program's schema, and serves until it is disposed. */
export async function openCassandraBindingStore(
  options: CassandraOptions,
  signal: AbortSignal,
): Promise<BindingStore> {
  const { clock, log, space = "" } = options;
  const sites = await openSites(options, signal);
  const gate = new Gate("binding store");
  const core: Core = { sites, key: modelKey(space), space, clock, log, gate };
  const bindings = new Bindings(core);
  const snapshots = new Snapshots(core);

  return {
    putBindings: (all, stop) => gate.run(stop, () => bindings.put(all)),
    getBinding: (model, entity, candidate, stop) =>
      gate.run(stop, () => bindings.get(model, entity, candidate)),
    listBindings: (model, candidate, stop) => gate.run(stop, () => bindings.list(model, candidate)),
    listCandidates: (model, stop) => gate.run(stop, () => bindings.candidates(model)),
    deleteBinding: (model, entity, candidate, stop) =>
      gate.run(stop, () => bindings.delete(model, entity, candidate)),
    putSnapshot: (snapshot, stop) => gate.run(stop, () => snapshots.put(snapshot)),
    getSnapshot: (model, epoch, stop) => gate.run(stop, () => snapshots.get(model, epoch)),

    takeConductor: (model, conductor, stop) =>
      gate.run(stop, () => new Journal(core, model, conductor).take()),
    readConductor: (model, conductor, stop) =>
      gate.run(stop, () => new Journal(core, model, conductor).lease()),
    renewConductor: (model, conductor, lease, stop) =>
      gate.run(stop, () => new Journal(core, model, conductor).renew(lease)),
    appendJournal: (model, conductor, incarnation, records, stop) =>
      gate.run(stop, () => new Journal(core, model, conductor).append(incarnation, records)),
    readJournal: (model, conductor, afterSequence, limit, stop) =>
      gate.run(stop, () => new Journal(core, model, conductor).read(afterSequence, limit)),
    compactJournal: (model, conductor, incarnation, upToSequence, summary, stop) =>
      gate.run(stop, () => new Journal(core, model, conductor).compact(incarnation, upToSequence, summary)),

    [Symbol.asyncDispose]: () => gate.close(async () => sites[Symbol.asyncDispose]()),
  };
}
