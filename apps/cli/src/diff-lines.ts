/** A line diff for small texts: the longest common subsequence, with a little context around changes. */
const CONTEXT_LINES = 2;
/** Beyond it (both sides multiplied) the diff is shown as all removed, all added. */
const CELLS_MAX = 4_000_000;

export function diffLines(before: string, after: string): string[] {
  const a = before === "" ? [] : before.split("\n");
  const b = after === "" ? [] : after.split("\n");
  if (a.length * b.length > CELLS_MAX)
    return [...a.map((line) => `- ${line}`), ...b.map((line) => `+ ${line}`)];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] as number;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: string[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`  ${a[i]}`);
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`- ${a[i]}`);
      i += 1;
    } else {
      lines.push(`+ ${b[j]}`);
      j += 1;
    }
  }
  return near(lines);
}

function near(lines: readonly string[]): string[] {
  const changed = lines.map((line) => !line.startsWith("  "));
  const kept = lines.map((_, index) =>
    changed.slice(Math.max(0, index - CONTEXT_LINES), index + CONTEXT_LINES + 1).includes(true),
  );
  return lines.flatMap((line, index) => {
    if (kept[index] === true) return [line];
    return kept[index - 1] === true && kept.slice(index).includes(true) ? ["  …"] : [];
  });
}
