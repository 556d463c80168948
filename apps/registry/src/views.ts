/** Which state of a model a read sees: a version, a draft, a candidate; by default the head. */
import type { View as ViewMessage } from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import type { ModelState } from "@greco/domain/model";
import { fault } from "@greco/service-kit";
import { orAbort } from "./cache/abort.ts";
import { etagOfDraft } from "./drafts/etag.ts";
import { draftOf } from "./names.ts";
import type { Registry } from "./registry.ts";

export type View = Pick<ViewMessage, "at" | "minVersion" | "linearizable">;

export type Seen = {
  readonly state: ModelState;
  /** Names the state: pages of one list are all of the same. */
  readonly name: string;
};

export async function seen(
  registry: Registry,
  model: string,
  view: View | undefined,
  signal: AbortSignal,
): Promise<Seen> {
  await registry.directory.model(model, signal);
  await upToDate(registry, model, view, signal);
  const { states, candidates } = registry;
  switch (view?.at.case) {
    case "version": {
      const version = Number(view.at.value);
      return { state: await states.at(model, version, signal), name: `v${version}` };
    }
    case "draft": {
      const draft = await existingDraft(registry, model, draftOf(model, view.at.value, "view.draft"), signal);
      return { state: draft.content.state, name: `d${etagOfDraft(draft.record.value)}` };
    }
    case "candidate": {
      const record = await candidates.sealed(model, view.at.value, signal);
      return { state: await candidates.state(model, record, signal), name: `c${record.id}` };
    }
    default: {
      const state = await states.head(model, signal);
      return { state, name: `v${state.version}` };
    }
  }
}

/** Waits for `min_version`; reads the head from the store, if asked to. */
async function upToDate(
  { directory, clock, limits }: Registry,
  model: string,
  view: View | undefined,
  signal: AbortSignal,
): Promise<void> {
  const wanted = Number(view?.minVersion ?? 0n);
  const head =
    view?.linearizable === true
      ? await directory.freshHead(model, signal)
      : await directory.head(model, signal);
  if (head.value.version >= wanted) return;
  const waiting = new AbortController();
  const enough = directory.heads.until(
    keys.head(model),
    (value) => (value?.version ?? 0) >= wanted,
    AbortSignal.any([signal, waiting.signal]),
  );
  const late = clock.sleep(limits.minVersionWaitMs, AbortSignal.any([signal, waiting.signal])).then(() => {
    throw fault.unavailable(
      "VERSION_NOT_SEEN",
      `version ${wanted} of ${model} has not been seen here within ${limits.minVersionWaitMs} ms: try again, or ask for less`,
    );
  });
  try {
    await orAbort(Promise.race([enough, late]), signal);
  } finally {
    waiting.abort(new Error("the wait is over"));
    await Promise.allSettled([enough, late]);
  }
}

export async function existingDraft(registry: Registry, model: string, draft: string, signal: AbortSignal) {
  const found = await registry.drafts.load(model, draft, signal);
  if (found !== undefined) return found;
  throw noDraft(model, draft);
}

export function noDraft(model: string, draft: string): Error {
  return fault.notFound(
    "DRAFT_NOT_FOUND",
    `models/${model}/drafts/${draft}`,
    `${model} has no draft ${draft}: create it, or list the drafts that there are`,
  );
}

export function staleDraftEtag(model: string, draft: string, etag: string): Error {
  return fault.aborted(
    "STALE_ETAG",
    `models/${model}/drafts/${draft} has changed since its etag was read: read it again (now ${etag}) and repeat the change`,
    { metadata: { etag } },
  );
}
