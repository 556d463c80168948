/**
 * What would be frozen: a draft on the head, an older version's content, or nothing (a join), with its checks and
 * what it touches. Reads only.
 */
import {
  changesTo,
  OrderedMap,
  type ChangeSet,
  type Finding,
  type Kinds,
  type ModelState,
  applyChanges,
  checkChanges,
} from "@greco/domain/model";
import { keys } from "@greco/control-kit";
import type { Compare } from "@greco/ports";
import { fault } from "@greco/service-kit";
import { unchanged } from "../drafts/draft-store.ts";
import { etagOfDraft } from "../drafts/etag.ts";
import type { Registry } from "../registry.ts";
import type { Stored } from "../store/json.ts";
import type { CandidateSource, DraftRecord, HeadRecord } from "../store/records.ts";
import { existingDraft, staleDraftEtag } from "../views.ts";
import { extentOf, type Extent } from "./extent.ts";

export type Prepared = {
  readonly source: CandidateSource;
  readonly author: string;
  readonly base: ModelState;
  readonly next: ModelState;
  readonly changes: ChangeSet;
  readonly kinds: Kinds;
  readonly findings: readonly Finding[];
  readonly extent: Extent;
  readonly restoresVersion: number;
  readonly draft: DraftRecord | undefined;
  /** What it was made from; the transaction that seals it compares all of it. */
  readonly compare: readonly Compare[];
};

export type Source =
  | { readonly kind: "draft"; readonly draft: string; /** Empty: the present one. */ readonly etag: string }
  | { readonly kind: "restore"; readonly version: number }
  | { readonly kind: "join" };

type Content = Pick<
  Prepared,
  "source" | "author" | "base" | "next" | "changes" | "draft" | "restoresVersion"
> & {
  readonly compare: readonly Compare[];
};

export async function prepare(
  registry: Registry,
  model: string,
  source: Source,
  actor: string,
  signal: AbortSignal,
): Promise<Prepared> {
  const { directory, checkSpec } = registry;
  await directory.model(model, signal);
  // What is compared is read before what is made of it.
  const [{ kinds, unchanged: sameKinds }, head] = await Promise.all([
    directory.freshKinds(model, signal),
    directory.freshHead(model, signal),
  ]);
  const content = await contentOf(registry, model, source, actor, head, signal);
  const { base, next, changes } = content;
  const graphs = { before: base, after: next };
  const changed = [...changes.entries()].map(([key]) => key);
  return {
    ...content,
    kinds,
    findings: checkChanges(graphs, changes, kinds, checkSpec),
    extent: extentOf(graphs, changed, kinds),
    compare: [
      ...content.compare,
      { key: keys.head(model), target: "modRevision", is: "=", value: head.revision },
      sameKinds,
    ],
  };
}

async function contentOf(
  registry: Registry,
  model: string,
  source: Source,
  actor: string,
  head: Stored<HeadRecord>,
  signal: AbortSignal,
): Promise<Content> {
  const { states, directory } = registry;
  if (source.kind === "draft") return await fromDraft(registry, model, source, head.value.version, signal);
  const base = await states.at(model, head.value.version, signal);
  if (source.kind === "join")
    return nothing({ source: { kind: "join" }, author: actor, base, restoresVersion: 0 });
  const content = await states.at(model, source.version, signal);
  const changes = changesTo(base, content);
  if (changes.size === 0)
    throw fault.precondition(
      "NOTHING_TO_RESTORE",
      `the head of ${model} (version ${base.version}) has the content of version ${source.version} already`,
      [
        {
          type: "NOTHING_TO_RESTORE",
          subject: `models/${model}/versions/${source.version}`,
          description: "its content is that of the head",
        },
      ],
    );
  return {
    source: { kind: "restore", version: source.version },
    author: actor,
    base,
    next: applyChanges(base, changes.entries(), base.version + 1, directory.kinds(model)),
    changes,
    draft: undefined,
    restoresVersion: source.version,
    compare: [],
  };
}

function nothing(of: Pick<Content, "source" | "author" | "base" | "restoresVersion">): Content {
  const next = { ...of.base, version: of.base.version + 1 };
  return { ...of, next, changes: OrderedMap.empty(), draft: undefined, compare: [] };
}

async function fromDraft(
  registry: Registry,
  model: string,
  { draft: id, etag: wanted }: Extract<Source, { kind: "draft" }>,
  headVersion: number,
  signal: AbortSignal,
): Promise<Content> {
  const { record, content } = await existingDraft(registry, model, id, signal);
  const etag = etagOfDraft(record.value);
  if (wanted !== "" && wanted !== etag) throw staleDraftEtag(model, id, etag);
  const name = `models/${model}/drafts/${id}`;
  const { base, state, changes } = content;
  if (base.version !== headVersion)
    throw fault.precondition(
      "STALE_DRAFT",
      `${name} stands on version ${base.version}, but the head is ${headVersion}: rebase it, look at it again, and repeat the call`,
      [
        {
          type: "STALE_DRAFT",
          subject: name,
          description: `its base is version ${base.version}, the head is ${headVersion}: rebase the draft`,
        },
      ],
    );
  if (changes.size === 0)
    throw fault.precondition("EMPTY_DRAFT", `${name} changes nothing: edit it first`, [
      { type: "EMPTY_DRAFT", subject: name, description: "it changes nothing" },
    ]);
  return {
    source: { kind: "draft", draft: id, etag },
    author: record.value.author,
    base,
    next: state,
    changes,
    draft: record.value,
    restoresVersion: 0,
    compare: [unchanged(model, record)],
  };
}
