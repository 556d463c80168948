/** What each error's reason means and what to do about it. A spec holds the list complete. */
export type Reason = { readonly means: string; readonly next: string };

export const REASONS: Readonly<Record<string, Reason>> = {
  STALE_ETAG: {
    means: "somebody changed it after you read it",
    next: "read it again and repeat the call with the new etag",
  },
  STALE_DRAFT: {
    means: "the draft's base is no longer the committed version",
    next: "greco draft rebase DRAFT, look at the diff, and try again",
  },
};
