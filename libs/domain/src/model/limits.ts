/** What a spec may be, with the reason for each value (I15). */

/** A spec in UTF-8: what fits gRPC's 4 MiB message twice, so that a difference can show both sides. */
export const SPEC_BYTES_MAX = 1_572_864;

/** Real specs nest below 15; whoever walks one may recurse. */
export const SPEC_DEPTH_MAX = 64;

/** Names that mean something else to JavaScript: a spec that holds one is an attack or a mistake. */
export const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(["__proto__", "constructor"]);

/** References of one entity: each is an edge of the graph that is kept in memory. */
export const REFERENCES_MAX = 1_000;

/** Cycles told in one check; a reader breaks one after the other. */
export const CYCLES_TOLD_MAX = 20;

/** Who still refers to a deleted entity: so many are named, the rest is counted. */
export const REFERRERS_TOLD_MAX = 5;
