/** What the registry refuses: models, kinds, drafts, versions, and freezing. */
import type { Reasons } from "./reason.ts";

export const MODEL_REASONS = {
  MODEL_NOT_FOUND: {
    means: "there is no model of this name",
    next: "greco model list; make one with greco model create NAME",
  },
  MODEL_EXISTS: { means: "a model of this name is there already", next: "use it, or take another name" },
  KIND_NOT_FOUND: {
    means: "the model has no kind of this name",
    next: "greco kind list; add one with greco kind create ID -f FILE",
  },
  KIND_EXISTS: {
    means: "the model has a kind of this name already",
    next: "greco kind update ID -f FILE changes it",
  },
  INVALID_KIND: {
    means: "the kind itself is wrong: its schema, a rule's expression, or a reference's path or target",
    next: "correct the fields that are listed",
  },
  KIND_BREAKS_ENTITIES: {
    means: "entities of the model would not pass the changed kind",
    next: "change those entities first, or make the kind allow what they have",
  },
  STREAM_FIXED: {
    means: "whether a kind is a stream cannot change while entities of it exist",
    next: "delete them first, or make another kind",
  },
  BUILT_IN: {
    means: "Stream, Table and Query come with every model and cannot be changed",
    next: "create a kind of your own",
  },
  TOO_MANY_KINDS: { means: "the model has as many kinds as it may have", next: "use those that there are" },
  ENTITY_NOT_FOUND: {
    means: "the entity does not exist in the version or draft that was looked at",
    next: "greco list (with --version or --draft) shows those that do",
  },
  ENTITY_TWICE: {
    means: "one call changes the same entity twice, and only one of the two could win",
    next: "send its last state only",
  },
  VERSION_NOT_FOUND: { means: "the model has no version of this number", next: "greco history" },
  VERSION_NOT_SEEN: {
    means: "this instance of the registry has not seen the version that you want yet",
    next: "try again; if it stays, greco doctor",
  },
  DRAFT_NOT_FOUND: { means: "the model has no draft of this name", next: "greco draft list" },
  DRAFT_EXISTS: {
    means: "a draft of this name is there already",
    next: "take another name, or discard the old one: greco draft discard NAME",
  },
  LIST_CHANGED: {
    means: "the draft was edited while its pages were read, so that they would not fit together",
    next: "read it again from the first page",
  },
  STALE_ETAG: {
    means: "somebody changed it after you had read it; your change would have overwritten theirs",
    next: "read it again and repeat the change",
  },
  STALE_DRAFT: {
    means: "other changes were made so since: the draft's base is no longer the newest version",
    next: "greco draft rebase DRAFT, look at greco draft diff DRAFT, then try again",
  },
  HEAD_MOVES: {
    means: "while the draft was rebased, newer versions were made so, again and again",
    next: "rebase it again",
  },
  UNUSED_RESOLUTION: {
    means: "a conflict was settled that is none",
    next: "greco draft rebase DRAFT lists the conflicts that there are",
  },
  EMPTY_DRAFT: { means: "the draft changes nothing", next: "edit it first: greco draft apply DRAFT -f DIR" },
  DRAFT_INVALID: {
    means: "the draft has findings that are errors; a draft may be wrong, a version may not",
    next: "greco draft validate DRAFT, correct what it lists, then try again",
  },
  APPROVAL_MISSING: {
    means: "the model wants a second person to approve the draft as it is now",
    next: "another releaser: greco draft approve DRAFT; instead of a rollback, apply an export of the old version to a draft",
  },
  TOO_MANY_EDITORS: {
    means: "as many people have edited the draft as it can remember, and none of them may approve it",
    next: "one of them edits it, or put the change into a draft of your own",
  },
  OWN_DRAFT: {
    means: "who wrote or edited a draft cannot be the second person who approves it",
    next: "ask another releaser",
  },
  FREEZE_OVERTAKEN: {
    means: "the draft, its approvals, the kinds or the newest version changed while it was frozen",
    next: "look at the draft again and repeat the call",
  },
  NOTHING_TO_RESTORE: {
    means: "the newest version has the content of that older one already",
    next: "greco history shows which version has which changes",
  },
  SOURCE_MISSING: {
    means: "a freeze must name what it freezes: a draft, an older version, or a join",
    next: "name one of them",
  },
  CANDIDATE_NOT_FOUND: {
    means: "there is no candidate of this id",
    next: "greco proposal list shows the proposals and what became of them",
  },
  CANDIDATE_NOT_SEALED: {
    means: "the candidate is still being written",
    next: "wait a moment and try again; what was left half-way is swept by itself",
  },
  CANDIDATE_COLLECTED: {
    means: "the candidate was discarded, and its changes are not kept any more",
    next: "make the draft so again",
  },
  DIGEST_MISMATCH: {
    means: "somebody wants to decide on another content than the conductors voted on",
    next: "it is refused for good; report it if no test does this on purpose",
  },
  ROLE_BINDING_NOT_FOUND: { means: "this person has no role in the model", next: "greco role list" },
  LAST_ADMIN: {
    means: "without this person nobody could give roles in the model any more",
    next: "make somebody else admin first: greco role set WHO admin",
  },
} as const satisfies Reasons;
