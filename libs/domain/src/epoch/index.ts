export type { Binding, ChangedBinding, LedgerEntry } from "./ledger.ts";
