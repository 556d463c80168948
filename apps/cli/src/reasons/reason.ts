/** One reason: what it means, and what to do about it. */
export type Reason = { readonly means: string; readonly next: string };

export type Reasons = Readonly<Record<string, Reason>>;
