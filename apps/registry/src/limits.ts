/** Limits of the registry, each with the reason for its value. All can be given to `startRegistry`. */
export type RegistryLimits = {
  readonly chunkBytes: number;
  readonly inlineBytes: number;
  readonly responseBytes: number;
  readonly streamBytes: number;
  readonly pageSizeDefault: number;
  readonly pageSizeMax: number;
  readonly findingsTold: number;
  readonly editVisits: number;
  readonly draftLogMin: number;
  readonly draftsCachedChanges: number;
  readonly candidatesCachedChanges: number;
  readonly versionsCached: number;
  readonly readsAtOnce: number;
  readonly snapshotChangesMin: number;
  readonly snapshotVersions: number;
  readonly snapshotsKept: number;
  readonly attemptsMax: number;
  readonly minVersionWaitMs: number;
  readonly sweepEveryMs: number;
  readonly unsealedKeptMs: number;
  readonly discardedKeptMs: number;
  readonly requestKeptMs: number;
  readonly historyKeptMs: number;
  readonly kindsMax: number;
  readonly editorsMax: number;
};

export const REGISTRY_LIMITS: RegistryLimits = {
  /** One chunk and what seals it fit into one transaction of the store (1.5 MB). */
  chunkBytes: 900_000,
  /** A draft's edit up to here is part of its log entry: one key less for almost every edit. */
  inlineBytes: 64_000,
  /** A response, with room for its envelope below gRPC's 4 MiB; one difference with both sides fits. */
  responseBytes: 3_500_000,
  /** A part of a stream: small, so that a slow reader holds little. */
  streamBytes: 64_000,
  pageSizeDefault: 100,
  pageSizeMax: 1_000,
  /** Findings of one edit (the contract says so). */
  findingsTold: 100,
  /** Entities that an edit's search for cycles visits; freeze looks at all. */
  editVisits: 300,
  /** A draft's log is folded when it has more entries than this and than the draft has changes: O(1) an edit. */
  draftLogMin: 64,
  /** About 300 bytes a change: some 60 MB of drafts at most. */
  draftsCachedChanges: 200_000,
  candidatesCachedChanges: 100_000,
  /** Versions of a model in memory; neighbours share almost everything. */
  versionsCached: 16,
  /** Change sets read ahead while a model is folded. */
  readsAtOnce: 16,
  /** A snapshot is due when so much has changed … */
  snapshotChangesMin: 2_000,
  /** … or so many versions were made since the last one: booting folds no more, and pays a few ms each. */
  snapshotVersions: 1_000,
  snapshotsKept: 2,
  /** Of a write that others keep overtaking. */
  attemptsMax: 8,
  /** A caller without a deadline does not wait for ever for a version that may never come. */
  minVersionWaitMs: 30_000,
  sweepEveryMs: 60_000,
  /** Of a freeze that died; no freeze takes so long. */
  unsealedKeptMs: 3_600_000,
  /** A discarded candidate's changes can be looked at for a while. */
  discardedKeptMs: 3_600_000,
  /** A create is not repeated by a retry a day later. */
  requestKeptMs: 86_400_000,
  /** A watch that was away for longer starts anew; the store keeps no older revisions. */
  historyKeptMs: 3_600_000,
  kindsMax: 1_000,
  /** Who edited a draft may not approve it, so all are kept: some 13 kB of names. */
  editorsMax: 200,
};
