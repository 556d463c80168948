/** The whole of a table's content: it is loaded into every worker that looks it up, and travels as one binding. */
export const TABLE_BYTES_MAX = 1024 * 1024;
