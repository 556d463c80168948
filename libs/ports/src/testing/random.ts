/** Chance from a seed: the same seed gives the same run, so a failure prints its seed and can be had again. */
export type Random = {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform in 0 … below − 1. */
  integer(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  shuffled<T>(from: readonly T[]): T[];
  /** A stream of its own: what one part draws does not shift what another draws. */
  fork(): Random;
};

/** mulberry32: 32 bits of state, good enough to choose faults by, and short enough to be the same everywhere. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number): number => Math.floor(next() * below);
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (from) => {
      if (from.length === 0) throw new RangeError("cannot pick from nothing");
      return from[integer(from.length)] as (typeof from)[number];
    },
    shuffled: (from) => {
      const result = [...from];
      for (let at = result.length - 1; at > 0; at--) {
        const other = integer(at + 1);
        [result[at], result[other]] = [result[other] as never, result[at] as never];
      }
      return result;
    },
    fork: () => seededRandom(integer(2 ** 32)),
  };
}
