/** What the handlers stand on. */
import type { SpecCheck } from "@greco/domain/model";
import type { Clock, CpStore, Ids, Log } from "@greco/ports";
import type { Directory } from "./cache/directory.ts";
import type { EntityAnswers } from "./cache/entity-answers.ts";
import type { ModelFeeds } from "./cache/model-feeds.ts";
import type { States } from "./cache/states.ts";
import type { CandidateStore } from "./candidates/candidate-store.ts";
import type { DraftStore } from "./drafts/draft-store.ts";
import type { RegistryLimits } from "./limits.ts";
import type { History } from "./store/history.ts";
import type { Snapshots } from "./store/snapshots.ts";

export type Registry = {
  readonly store: CpStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits: RegistryLimits;
  readonly directory: Directory;
  readonly history: History;
  readonly states: States;
  readonly entityAnswers: EntityAnswers;
  readonly modelFeeds: ModelFeeds;
  readonly drafts: DraftStore;
  readonly candidates: CandidateStore;
  readonly snapshots: Snapshots;
  readonly checkSpec: SpecCheck;
};
