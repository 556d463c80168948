/** The contract's watches and subscriptions, kept up across restarts of their servers. */
import type { CommitService, Proposal } from "@greco/contracts/greco/commit/v1/commit";
import { Phase } from "@greco/contracts/greco/commit/v1/commit";
import type { Entry, IngressService } from "@greco/contracts/greco/dataplane/v1/dataplane";
import type { Model } from "@greco/contracts/greco/model/v1/model";
import type { RegistryService } from "@greco/contracts/greco/registry/v1/registry";
import type { Client } from "./client.ts";
import { resume, type ResumeOptions } from "./resume.ts";

export type WatchOptions = {
  readonly signal: AbortSignal;
} & Partial<Pick<ResumeOptions<never, never>, "backoff" | "onInterrupted">>;

/** The proposal at each change, until it is settled. `name` is `models/{model}/proposals/{proposal}`. */
export async function* watchProposal(
  commit: Pick<Client<typeof CommitService>, "watchProposal">,
  name: string,
  options: WatchOptions,
): AsyncGenerator<Proposal, void> {
  const responses = resume(
    {
      ...options,
      start: 0n,
      open: (fromRevision, signal) => commit.watchProposal({ name, fromRevision }, { signal }),
      positionOf: ({ revision }, before) => (revision > before ? revision : before),
    },
    options.signal,
  );
  for await (const { proposal } of responses) {
    if (proposal === undefined) continue;
    yield proposal;
    if (proposal.phase === Phase.SETTLED) return;
  }
}

/** The model at each move of its head, for ever. `name` is `models/{model}`. */
export async function* watchModel(
  registry: Pick<Client<typeof RegistryService>, "watchModel">,
  name: string,
  options: WatchOptions,
): AsyncGenerator<Model, void> {
  const responses = resume(
    {
      ...options,
      start: 0n,
      open: (fromRevision, signal) => registry.watchModel({ name, fromRevision }, { signal }),
      positionOf: ({ revision }, before) => (revision > before ? revision : before),
    },
    options.signal,
  );
  for await (const { model } of responses) if (model !== undefined) yield model;
}

export type FollowOptions = WatchOptions & {
  /** The last seq that was taken of each lane; absent: everything that is retained. */
  readonly after?: ReadonlyMap<string, bigint>;
  /** Stop at the present end of all lanes instead of following. */
  readonly bounded?: boolean;
};

/**
 * A stream's entries, each lane in order and each entry once, from positions or from the beginning.
 * `stream` is `models/{model}/streams/{stream}`. (A start at the end or at an epoch cannot be resumed: a lane of which
 * nothing has come yet has no position.)
 */
export async function* followStream(
  ingress: Pick<Client<typeof IngressService>, "subscribe">,
  stream: string,
  options: FollowOptions,
): AsyncGenerator<Entry, void> {
  const taken = new Map(options.after);
  const bounded = options.bounded ?? false;
  const responses = resume(
    {
      ...options,
      start: taken,
      open: (after, signal) => {
        const positions = [...after].map(([lane, seq]) => ({ lane, seq }));
        return ingress.subscribe(
          { stream, bounded, start: { case: "positions", value: { positions } } },
          { signal },
        );
      },
      positionOf: ({ entries }, after) => {
        for (const { position } of entries)
          if (position !== undefined) after.set(position.lane, position.seq);
        return after;
      },
    },
    options.signal,
  );
  for await (const { entries } of responses) yield* entries;
}
