/** Records as JSON with a fixed order of fields, so that the same record is the same text. */

/** JSON with object keys sorted; undefined fields are left out. For plain records of ours, not for users' data. */
export function stable(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
    const sorted = Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted);
  });
}
