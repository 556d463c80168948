/**
 * Runs a conductor for every model that there is: models are announced, and listed again now and then, since
 * an announcement may be lost.
 */
import { conductorId, modelId, type ModelId } from "@greco/domain/model";
import { failpoint as processFailpoint } from "@greco/service-kit";
import { Hint } from "@greco/lane-kit";
import { untilDone, type Backoff } from "./backoff.ts";
import type { Conductor } from "./conductor.ts";
import type { ConductorDependencies } from "./context.ts";
import { CONDUCTOR_LIMITS, type ConductorLimits } from "./limits.ts";
import { Member, type MemberStatus } from "./member.ts";
import { TaskGroup } from "./tasks.ts";

/** The topic of the control log on which models are announced. */
export const MODELS_TOPIC = "_models";

const MODELS_PAGE = 500;

export type ConductorOptions = {
  readonly limits?: Partial<ConductorLimits>;
  /** One conductor of a deployment folds the bindings for all. */
  readonly writesSnapshots?: boolean;
};

export interface RunningConductor extends AsyncDisposable {
  /** `conductors/{name}` */
  readonly name: string;
  /** By model; undefined where it has no session just now. */
  status(): ReadonlyMap<ModelId, MemberStatus | undefined>;
}

/** Resolves as soon as it runs; it waits for the coordinator, the registry and the stores by itself. */
export function startConductor(
  conductor: Conductor,
  dependencies: ConductorDependencies,
  options: ConductorOptions,
  signal: AbortSignal,
): Promise<RunningConductor> {
  const limits = { ...CONDUCTOR_LIMITS, ...options.limits };
  const id = conductorId(conductor.name);
  const log = dependencies.log.child({ conductor: id });
  const ending = new AbortController();
  const over = AbortSignal.any([signal, ending.signal]);
  const tasks = new TaskGroup((error) => {
    if (!over.aborted) log.error("conductor.ended", { error });
  });
  const members = new Map<ModelId, Member>();
  const kinds = new Set(conductor.kinds);

  const add = (model: ModelId): void => {
    if (members.has(model)) return;
    const member = new Member(
      {
        failpoint: processFailpoint,
        ...dependencies,
        conductor,
        id,
        model,
        limits,
        kinds,
        seen: new Set([...kinds, ...(conductor.watches ?? [])]),
        log: log.child({ model }),
      },
      { writesSnapshots: options.writesSnapshots ?? false },
    );
    members.set(model, member);
    tasks.start(() => member.run(over));
  };

  const { clock, ids } = dependencies;
  const backoff: Backoff = { clock, ids, minMs: limits.backoffMinMs, maxMs: limits.backoffMaxMs };
  const hint = new Hint();
  const again = (what: string) => (error: unknown) => {
    log.warn(what, { error });
    return "again" as const;
  };
  const listen = async (): Promise<never> => {
    for await (const _announced of dependencies.controlLog.subscribe(MODELS_TOPIC, 0, over)) hint.give();
    throw new Error("the subscription ended");
  };
  const find = async (): Promise<never> => {
    for (;;) {
      for (const model of await listModels(dependencies, over)) add(model);
      await hint.next(clock, limits.modelsMs, over);
    }
  };
  tasks.start(() => untilDone(backoff, over, listen, again("conductor.models-unheard")));
  tasks.start(() => untilDone(backoff, over, find, again("conductor.models-unlisted")));

  return Promise.resolve({
    name: `conductors/${id}`,
    status: () => new Map([...members].map(([model, member]) => [model, member.status])),
    async [Symbol.asyncDispose]() {
      ending.abort(new Error(`conductors/${id} stops`));
      await tasks.idle();
    },
  });
}

async function listModels({ registry }: ConductorDependencies, signal: AbortSignal): Promise<ModelId[]> {
  const models: ModelId[] = [];
  let pageToken = "";
  do {
    const page = await registry.listModels({ pageSize: MODELS_PAGE, pageToken }, { signal });
    for (const { name } of page.models) models.push(modelId(name.replace(/^models\//, "")));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return models;
}
