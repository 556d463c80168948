/** The whole of a table's content: it is loaded into every worker that looks it up, and travels as one binding. */
export const TABLE_BYTES_MAX = 1024 * 1024;

/** What is worked on at a stretch, in characters of specs; the smallest table costs as much as so many. */
export const CHARS_A_TURN = 256 * 1024;
export const TABLE_CHARS_LEAST = 8 * 1024;
