/** A review or a prepare as the kit would make it, for the specs of a conductor's opinion. */
import {
  candidateId,
  entityKey,
  modelId,
  type CandidateId,
  type EntityKey,
  type ModelId,
} from "@greco/domain/model";
import type { Affected, Preparation, ReviewRequest } from "../conductor.ts";
import { View, type ViewChange } from "../view.ts";

/** `stream/flights` → its spec. */
export type Specs = Readonly<Record<string, unknown>>;

export type Change = {
  /** What stands at version 1. */
  readonly before?: Specs;
  /** New specs; undefined: deleted. */
  readonly changes: Specs;
  /** Entities of the conductor's kinds that refer to what changes. */
  readonly referring?: readonly string[];
  readonly kinds: readonly string[];
};

const toKey = (name: string): EntityKey => {
  const [kind = "", entity = ""] = name.split("/");
  return entityKey(kind, entity);
};

export function reviewOf({ before = {}, changes, referring = [], kinds }: Change): ReviewRequest {
  const rows = Object.entries(before).map(([name, spec]) => ({
    key: toKey(name),
    createdVersion: 1,
    specJson: JSON.stringify(spec),
  }));
  const lines = Object.entries(changes).map(([name, spec]): ViewChange => ({
    key: toKey(name),
    specJson: spec === undefined ? undefined : JSON.stringify(spec),
  }));
  const base = View.of(1, rows);
  const after = base.with(lines);
  const affected = [...lines.map(({ key }) => key), ...referring.map(toKey)]
    .filter((key) => kinds.some((kind) => key.startsWith(`${kind}/`)))
    .map((key): Affected => affectedOf(key, base, after, key in changes));
  const model: ModelId = modelId("m");
  return { model, candidate: candidateId("c1"), affected, before: base, after, join: false };
}

function affectedOf(key: EntityKey, before: View, after: View, changed: boolean): Affected {
  const [old, now] = [before.get(key), after.get(key)];
  const identity = (now ?? old)?.identity;
  if (identity === undefined) throw new Error(`${key} is neither before nor after the change`);
  const change = now === undefined ? "delete" : old === undefined ? "create" : changed ? "update" : "none";
  return { key, identity, change, before: old, after: now };
}

/** The prepare of what was reviewed. */
export function preparationOf(
  request: ReviewRequest,
  candidate: CandidateId = candidateId("c1"),
): Preparation {
  const { model, affected: claimed, before, after } = request;
  return { model, candidate, claimed, before, after, intend: () => Promise.resolve() };
}
