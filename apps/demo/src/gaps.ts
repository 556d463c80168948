/**
 * How much a switch holds up the outputs of a lane: the largest gap between two outputs around the
 * marker, divided by the median largest gap of equal windows without one.
 */
export const GAP_WINDOW_MS = 2_000;

function largestGap(times: readonly number[], fromMs: number, toMs: number): number | undefined {
  let largest: number | undefined;
  for (let i = 1; i < times.length; i += 1) {
    const before = times[i - 1] as number;
    const after = times[i] as number;
    // A gap belongs to the window in which it begins.
    if (before >= fromMs && before < toMs) largest = Math.max(largest ?? 0, after - before);
  }
  return largest;
}

export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? sorted[middle]
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Times ascending, in milliseconds. Undefined where the lane has too few windows to compare with. */
export function gapRatio(
  times: readonly number[],
  markerMs: number,
  windowMs = GAP_WINDOW_MS,
): number | undefined {
  const first = times[0];
  const last = times.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const begin = markerMs - windowMs / 2;
  const around = largestGap(times, begin, begin + windowMs);
  const others: number[] = [];
  for (let at = begin - windowMs; at >= first; at -= windowMs) {
    const gap = largestGap(times, at, at + windowMs);
    if (gap !== undefined) others.push(gap);
  }
  for (let at = begin + windowMs; at + windowMs <= last; at += windowMs) {
    const gap = largestGap(times, at, at + windowMs);
    if (gap !== undefined) others.push(gap);
  }
  const usual = median(others);
  if (around === undefined || usual === undefined || usual === 0 || others.length < 3) return undefined;
  return around / usual;
}
