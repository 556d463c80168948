// "Unknown name" is only half an error message; the other half is what was probably meant.

function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...b].entries()) {
      const substituted = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      const removed = (previous[column + 1] ?? 0) + 1;
      const added = (current[column] ?? 0) + 1;
      current.push(Math.min(substituted, removed, added));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The known name closest to `wanted` by edit distance, ignoring case; undefined when nothing is known. */
export function nearest(wanted: string, known: readonly string[]): string | undefined {
  const scored = known.map((name) => ({ name, score: distance(wanted.toLowerCase(), name.toLowerCase()) }));
  return scored.toSorted((a, b) => a.score - b.score)[0]?.name;
}
