/** The other half of "unknown name": what was probably meant. */

function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 0; row < a.length; row += 1) {
    const current = [row + 1];
    for (let column = 0; column < b.length; column += 1) {
      const substituted = (previous[column] ?? 0) + (a[row] === b[column] ? 0 : 1);
      current.push(Math.min(substituted, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The known name closest to `wanted`, if one is close enough to be a slip of it. */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  const word = wanted.slice(0, 64).toLowerCase();
  const bound = Math.max(2, Math.floor(word.length / 2));
  let best: { name: string; score: number } | undefined;
  for (const name of known) {
    const score = distance(word, name.slice(0, 64).toLowerCase());
    if (score <= bound && (best === undefined || score < best.score)) best = { name, score };
  }
  return best?.name;
}
