/** One screen: what the registry is made of. */
import { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Clock, CpStore, Ids, Log, Metrics } from "@greco/ports";
import {
  implement,
  serve,
  type Authority,
  type ConnectListen,
  type Listen,
  type Readiness,
  type RoleLookup,
  type ServerLimits,
} from "@greco/service-kit";
import { orAbort } from "./cache/abort.ts";
import { Directory } from "./cache/directory.ts";
import { EntityAnswers } from "./cache/entity-answers.ts";
import { ModelFeeds } from "./cache/model-feeds.ts";
import { States } from "./cache/states.ts";
import { CandidateStore } from "./candidates/candidate-store.ts";
import { createSpecCheck } from "./checks/spec-check.ts";
import { DraftStore } from "./drafts/draft-store.ts";
import { candidateHandlers } from "./handlers/candidates.ts";
import { draftReviewHandlers } from "./handlers/draft-review.ts";
import { draftHandlers } from "./handlers/drafts.ts";
import { entityHandlers } from "./handlers/entities.ts";
import { kindHandlers } from "./handlers/kinds.ts";
import { modelHandlers } from "./handlers/models.ts";
import { roleHandlers } from "./handlers/roles.ts";
import { versionHandlers } from "./handlers/versions.ts";
import { REGISTRY_LIMITS, type RegistryLimits } from "./limits.ts";
import type { Registry } from "./registry.ts";
import { History } from "./store/history.ts";
import { Snapshots } from "./store/snapshots.ts";
import { runSweeper } from "./sweeper.ts";

export type RegistryDependencies = {
  /** The caller's to close, after the registry. */
  readonly store: CpStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** A function is given the registry's own knowledge of roles, which costs a call nothing. */
  readonly authority: Authority | ((roleOf: RoleLookup) => Authority);
  /** Health follows it. */
  readonly readiness?: Readiness | undefined;
  /** For operators; absent: nobody looks. */
  readonly metrics?: Metrics | undefined;
};

export type RegistryOptions = {
  readonly listen: Listen;
  readonly connect?: ConnectListen;
  readonly limits?: Partial<RegistryLimits>;
  readonly serverLimits?: Partial<ServerLimits>;
};

export interface RunningRegistry extends AsyncDisposable {
  readonly address: string;
  readonly connectAddress?: string;
  /** Resolves when nothing is done beside the calls: no snapshot is being written. */
  idle(): Promise<void>;
}

/** `signal` bounds the start; afterwards the registry runs until it is disposed. */
export async function startRegistry(
  dependencies: RegistryDependencies,
  options: RegistryOptions,
  signal: AbortSignal,
): Promise<RunningRegistry> {
  const { store, clock, ids, log, readiness, metrics } = dependencies;
  const limits = { ...REGISTRY_LIMITS, ...options.limits };
  await using starting = new AsyncDisposableStack();
  const running = new AbortController();
  starting.defer(() => running.abort(new Error("the registry stops")));

  const directory = await orAbort(Directory.open({ store, clock, log }, running.signal), signal);
  const { authority: given } = dependencies;
  const authority =
    typeof given === "function"
      ? given((model, subject, each) => directory.roleOf(model, subject, each))
      : given;
  const history = new History(store, limits.readsAtOnce);
  const states = new States(directory, history, limits, log, running.signal);
  const drafts = new DraftStore(store, ids, directory, states, limits);
  const candidates = new CandidateStore(store, directory, states, history, limits);
  const snapshots = new Snapshots({ store, history, ids, clock, log, limits }, running.signal);
  const checkSpec = createSpecCheck();
  const registry: Registry = {
    ...{ store, clock, ids, log, limits },
    ...{ directory, history, states, drafts, candidates, snapshots, checkSpec },
    entityAnswers: new EntityAnswers(),
    modelFeeds: new ModelFeeds(store),
  };
  starting.defer(() => snapshots.idle());
  const sweeping = runSweeper(registry, running.signal);
  starting.defer(() => sweeping);
  // Deferred again, so that it comes before what waits for it.
  starting.defer(() => running.abort(new Error("the registry stops")));
  const server = starting.use(
    await serve(
      {
        services: [
          implement(RegistryService, {
            ...modelHandlers(registry),
            ...kindHandlers(registry),
            ...entityHandlers(registry),
            ...draftHandlers(registry),
            ...draftReviewHandlers(registry),
            ...versionHandlers(registry),
            ...roleHandlers(registry),
            ...candidateHandlers(registry),
          }),
        ],
        listen: options.listen,
        ...(options.connect === undefined ? {} : { connect: options.connect }),
        ...(options.serverLimits === undefined ? {} : { limits: options.serverLimits }),
        ...{ authority, log, ids, readiness, metrics },
      },
      signal,
    ),
  );
  log.info("registry.started", { address: server.address });
  const owned = starting.move();
  return {
    address: server.address,
    ...(server.connectAddress === undefined ? {} : { connectAddress: server.connectAddress }),
    idle: () => snapshots.idle(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
