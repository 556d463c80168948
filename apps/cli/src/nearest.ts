/** The name that is meant by a mistyped one: the least edit distance, if it is small enough. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(
        Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + change),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}

export function nearest(text: string, names: readonly string[]): string | undefined {
  const ranked = names.map((name) => ({ name, far: distance(text, name) })).sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best !== undefined && best.far <= Math.max(2, text.length / 2) ? best.name : undefined;
}
