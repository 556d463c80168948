/** What becomes of one model's settings and head, as the store tells it by two watches. */
import { create } from "@bufbuild/protobuf";
import {
  type WatchModelResponse,
  WatchModelResponseSchema,
} from "@greco/contracts/greco/registry/v1/registry";
import { keys } from "@greco/control-kit";
import type { CpStore, WatchBatch } from "@greco/ports";
import { fromBytes } from "../store/json.ts";
import type { HeadRecord, ModelRecord } from "../store/records.ts";
import { merged } from "../streams.ts";
import { toModel } from "../wire/nouns.ts";

type Part = "settings" | "head";

/** How far each part is known: everything of it up to this revision. They may be unequally far. */
export type Positions = Readonly<Record<Part, number>>;

export type ModelThen = {
  readonly positions: Positions;
  readonly settings: ModelRecord | undefined;
  readonly head: HeadRecord | undefined;
};

/** A look at the store at a revision; `changed`: when each part was, last. */
export type ModelSeen = {
  readonly then: ModelThen;
  readonly revision: number;
  readonly changed: Positions;
};

/** A part has changed at revision `at`; without `value` nothing has, and it is known up to `upTo`. */
export type ModelNews = {
  readonly part: Part;
  readonly at: number;
  readonly upTo: number;
  readonly value?: Pick<ModelThen, "settings"> | Pick<ModelThen, "head">;
};

/** The model as of a revision (`undefined`: now), linearizable. Throws what `range` throws. */
export async function modelAt(
  store: CpStore,
  model: string,
  at: number | undefined,
  signal: AbortSignal,
): Promise<ModelSeen> {
  const asked = at === undefined ? {} : { revision: at };
  const settings = await store.range({ key: keys.model(model) }, asked, signal);
  const revision = at ?? settings.revision;
  const heads = await store.range({ key: keys.head(model) }, { revision }, signal);
  const [setting, head] = [settings.entries[0], heads.entries[0]];
  return {
    then: {
      positions: { settings: revision, head: revision },
      settings: setting && fromBytes<ModelRecord>(setting.value),
      head: head && fromBytes<HeadRecord>(head.value),
    },
    revision,
    changed: { settings: setting?.modRevision ?? 0, head: head?.modRevision ?? 0 },
  };
}

/** Everything behind `positions`: of each part every change, in its order, and marks. */
export async function* modelNews(
  store: CpStore,
  model: string,
  { settings, head }: Positions,
  signal: AbortSignal,
): AsyncGenerator<ModelNews, void, undefined> {
  const watches = {
    settings: (each: AbortSignal) => store.watch({ key: keys.model(model) }, settings, each),
    head: (each: AbortSignal) => store.watch({ key: keys.head(model) }, head, each),
  };
  for await (const { name, batch } of merged(watches, signal)) yield* newsOf(name, batch);
}

function* newsOf(part: Part, { events, revision }: WatchBatch): Generator<ModelNews, void, undefined> {
  const puts = events.flatMap((event) => (event.type === "put" ? [event.entry] : []));
  for (const [index, { value, modRevision: at }] of puts.entries())
    yield { part, at, upTo: index === puts.length - 1 ? revision : at, value: valueOf(part, value) };
  if (puts.length === 0) yield { part, at: revision, upTo: revision };
}

const valueOf = (part: Part, value: Uint8Array): NonNullable<ModelNews["value"]> =>
  part === "head" ? { head: fromBytes<HeadRecord>(value) } : { settings: fromBytes<ModelRecord>(value) };

/** What is known behind the news; what was known already stays. */
export function after(then: ModelThen, { part, at, upTo, value }: ModelNews): ModelThen {
  const known = then.positions[part];
  return {
    ...then,
    ...(at > known ? value : {}),
    positions: { ...then.positions, [part]: Math.max(known, upTo) },
  };
}

/** Who goes on from a told revision must hear of both parts from there: the one that is further is told again. */
export const revisionOf = ({ positions }: ModelThen): number => Math.min(positions.settings, positions.head);

/** A part of which the last change is known is known up to where somebody has seen that there was no later one. */
export function upTo(then: ModelThen, { revision, changed }: ModelSeen): ModelThen {
  const { settings, head } = then.positions;
  return {
    ...then,
    positions: {
      settings: settings < changed.settings ? settings : Math.max(settings, revision),
      head: head < changed.head ? head : Math.max(head, revision),
    },
  };
}

/** Of who has heard all that the other has. */
export const furthest = (one: ModelThen, other: ModelThen): Positions => ({
  settings: Math.max(one.positions.settings, other.positions.settings),
  head: Math.max(one.positions.head, other.positions.head),
});

export const isAsFarAs = (one: Positions, other: Positions): boolean =>
  one.settings >= other.settings && one.head >= other.head;

export function told(then: ModelThen): WatchModelResponse {
  const { settings, head } = then;
  return create(WatchModelResponseSchema, {
    revision: BigInt(revisionOf(then)),
    ...(settings === undefined ? {} : { model: toModel(settings, head?.version ?? 0) }),
  });
}

/** Nothing has changed up to there. */
export const mark = (then: ModelThen): WatchModelResponse =>
  create(WatchModelResponseSchema, { revision: BigInt(revisionOf(then)) });
