/** What happens to a proposal, and what is to be done about it. */
import type { ConductorId, EntityIdentity, Epoch } from "../model/ids.ts";
import type { CommandKind } from "./command.ts";
import type { CommitLimits } from "./limits.ts";
import type { Frozen } from "./proposal.ts";
import type { Answer, Voter } from "./vote.ts";

export type CommitEvent =
  /** The slot is free and this one is the next. */
  | {
      readonly type: "turn";
      readonly head: Epoch;
      readonly frozen: Frozen;
      readonly voters: readonly Voter[];
      readonly claimable: readonly string[];
    }
  /** Judged before (judge.ts): a voter's, for this candidate and command. */
  | {
      readonly type: "answer";
      readonly conductor: ConductorId;
      readonly command: CommandKind;
      readonly answer: Answer;
    }
  /** Live time has passed. */
  | { readonly type: "tick"; readonly elapsedMs: number }
  /** What is open is to be done again: announce, promote, discard, mark. */
  | { readonly type: "remind" }
  /** The registry would not promote, and nothing was decided. */
  | {
      readonly type: "refused";
      readonly why: "head-moved" | "registrations-changed" | "ledger-ahead" | "not-promotable";
      readonly detail: string;
    }
  /** The registry's answer, or what was read back. */
  | { readonly type: "promoted"; readonly atMs: number }
  | { readonly type: "discarded" }
  /** The ledger has the entry. */
  | { readonly type: "marked" }
  | { readonly type: "withdrawn"; readonly by: string; readonly reason: string }
  | { readonly type: "deregistered"; readonly conductor: ConductorId }
  | { readonly type: "confirmed"; readonly by: string }
  /** Somebody does not want to wait for the timer. */
  | { readonly type: "rejected" }
  | { readonly type: "revert-ended"; readonly proposal: string; readonly committed: boolean }
  /** Read from the store by a coordinator that knows nothing else. */
  | {
      readonly type: "recovered";
      readonly chargeMs: number;
      readonly registered: ReadonlySet<ConductorId>;
      /** Of the candidate, by the registry: records leave them out. */
      readonly claimable: readonly string[];
      readonly scope: readonly EntityIdentity[];
    };

export type EventKind = CommitEvent["type"];

/**
 * To be carried out in order. When one that is durable meets a conflict, somebody else has acted: what is
 * left is dropped, and the proposal is read from the store again. Announcements need not be waited for.
 */
export type Effect =
  /** The state as the proposal's record, if the record is still as it was read. `slot`: in the same transaction. */
  | { readonly type: "persist"; readonly slot: "keep" | "take" | "arm" | "release" }
  | {
      readonly type: "announce";
      readonly command: CommandKind;
      readonly to: readonly ConductorId[];
    }
  /** To every conductor, as a link of the chain. */
  | { readonly type: "announce-commit" }
  /** *The* decision: by the registry, with `committedFrom(state, atMs)` as the proposal's record. */
  | { readonly type: "promote"; readonly atMs: number }
  /** The other decision, with `abortedFrom(state)` as the proposal's record. */
  | { readonly type: "discard" }
  /** The ledger's entry, missing lower ones first. */
  | { readonly type: "mark" }
  /** Freeze the base's content under the id that `confirmation` names; the same again is no error. */
  | { readonly type: "begin-revert" };

export type StepContext = {
  readonly limits: CommitLimits;
  /** For records and people only; nothing is decided by it. */
  readonly nowMs: number;
  /** For the revert that a step may begin: such ids grow with time. Default: one after the commit's own. */
  readonly freshId?: string;
};

export type Step<S> = { readonly state: S; readonly effects: readonly Effect[] };
