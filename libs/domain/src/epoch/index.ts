export type { DeadLetterPayload, QueryContent, StreamContent, TableContent } from "./content.ts";
export type { Binding, ChangedBinding, LedgerEntry } from "./ledger.ts";
