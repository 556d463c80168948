/** What the registry keeps in the CP store, by key (libs/control-kit/src/keys.ts). */
import type { Flow, KindRule } from "@greco/domain/model";

/** `model/{m}` */
export type ModelRecord = {
  readonly id: string;
  readonly displayName: string;
  readonly voters: "all" | "affected";
  readonly approvalRequired: boolean;
  readonly creator: string;
  readonly etag: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** `head/{m}`: its change is the commit point (I2, I3). */
export type HeadRecord = {
  readonly version: number;
  /** Empty at version 0. */
  readonly candidate: string;
  /** Changes of all versions up to this one. */
  readonly totalChanges: number;
};

/** `kind/{m}/{k}` */
export type KindRecord = {
  readonly id: string;
  readonly displayName: string;
  readonly schemaJson: string;
  readonly rules: readonly KindRule[];
  readonly references: readonly { readonly path: string; readonly kind: string; readonly flow: Flow }[];
  readonly stream: boolean;
  readonly unclaimedAllowed: boolean;
  readonly builtIn: boolean;
  readonly etag: string;
};

/** Lines in chunks below one prefix; the digest is of all their bytes. */
export type Chunked = {
  /** Names the attempt that wrote them: chunks of one that died are never mistaken for these. */
  readonly attempt: string;
  readonly chunks: number;
  readonly bytes: number;
  readonly digest: string;
};

export type ApprovalRecord = { readonly subject: string; readonly timeMs: number };

/** `draft/{m}/{d}` */
export type DraftRecord = {
  readonly id: string;
  /** New for each draft, also for one of an old name. */
  readonly incarnation: string;
  /** Grows with each change of the content; what is behind it in the log is not part of the draft. */
  readonly generation: number;
  readonly baseVersion: number;
  readonly title: string;
  readonly author: string;
  /** All who changed the content; none of them may approve it. */
  readonly editors: readonly string[];
  readonly changeCount: number;
  /** The change set as of `generation`; log entries above it come on top. */
  readonly folded: { readonly generation: number; readonly content?: Chunked };
  readonly approvals: readonly ApprovalRecord[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** What a candidate was made from: a repeat of a freeze is known by it. */
export type CandidateSource =
  | { readonly kind: "draft"; readonly draft: string; readonly etag: string }
  | { readonly kind: "restore"; readonly version: number }
  | { readonly kind: "join" };

/** `candidate/{m}/{c}` */
export type CandidateRecord = {
  readonly id: string;
  readonly baseVersion: number;
  readonly source: CandidateSource;
  readonly author: string;
  readonly actor: string;
  readonly proposal: string;
  readonly createdAtMs: number;
} & (
  | { readonly state: "unsealed"; readonly attempt: string }
  | (Sealed & { readonly state: "open" })
  | (Sealed & {
      readonly state: "promoted";
      readonly version: number;
      readonly decidedAtMs: number;
      /** Who made the decision: an ambiguous answer is read back by it. */
      readonly decision: string;
    })
  | (Partial<Sealed> & {
      readonly state: "discarded";
      readonly decidedAtMs: number;
      readonly decision: string;
      readonly reason: string;
      /** Its chunks are gone. */
      readonly collected: boolean;
    })
);

export type Sealed = {
  readonly digest: string;
  readonly changeCount: number;
  readonly content: Chunked;
  /** Affected entities and scope. */
  readonly extent: Chunked;
  readonly restoresVersion: number;
};

/** `version/{m}/{n}` */
export type VersionRecord = {
  readonly number: number;
  readonly candidate: string;
  readonly digest: string;
  readonly author: string;
  readonly releaser: string;
  readonly reason: string;
  readonly commitAtMs: number;
  readonly changeCount: number;
  readonly proposal: string;
  readonly restoresVersion: number;
  readonly content: Chunked;
};

/** `role/{m}/{s}`; control-kit reads `role`. */
export type RoleRecord = { readonly role: "viewer" | "editor" | "releaser" | "admin"; readonly etag: string };

/** `pending/{m}/{c}`: candidates that are not promoted; what the sweeper and a change of a kind look at. */
export type PendingRecord = { readonly sinceMs: number; readonly discarded: boolean };

/** `snapshot/{m}/{n}` */
export type SnapshotRecord = {
  readonly version: number;
  readonly totalChanges: number;
  readonly entities: number;
  readonly content: Chunked;
};
