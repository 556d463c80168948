/**
 * Ids that match `[a-z0-9-]{1,63}` and sort by time of making: 10 digits of milliseconds, 16 of chance, in
 * base32hex, whose digits ascend in ASCII. Within one source they only grow, even in one millisecond or when
 * the clock is set back.
 */
import { randomFillSync } from "node:crypto";
import type { Clock, Ids } from "@greco/ports";
import { systemClock } from "./clock.ts";

const DIGITS = "0123456789abcdefghijklmnopqrstuv";
const TIME_DIGITS = 10;
const CHANCE_DIGITS = 16;
const IDS_A_DRAW = 64;

export function createIds(clock: Pick<Clock, "nowMs">, random: () => number = Math.random): Ids {
  const chance = new Uint8Array(CHANCE_DIGITS);
  // A draw costs a call of the system, so it is for many ids.
  const pool = new Uint8Array(CHANCE_DIGITS * IDS_A_DRAW);
  let drawn = pool.length;
  let lastMs = -1;
  let timeText = "";
  return {
    next() {
      const nowMs = clock.nowMs();
      if (nowMs > lastMs) {
        lastMs = nowMs;
        timeText = encodeTime(nowMs);
        if (drawn === pool.length) {
          randomFillSync(pool);
          drawn = 0;
        }
        for (let i = 0; i < CHANCE_DIGITS; i += 1) chance[i] = (pool[drawn++] ?? 0) & 31;
        // Room to count up within the millisecond.
        chance[0] = (chance[0] ?? 0) & 15;
      } else increment(chance);
      let text = timeText;
      for (const digit of chance) text += DIGITS.charAt(digit);
      return text;
    },
    random,
  };
}

export const systemIds: Ids = createIds(systemClock);

function encodeTime(ms: number): string {
  let rest = ms;
  let text = "";
  for (let i = 0; i < TIME_DIGITS; i += 1) {
    text = DIGITS.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function increment(digits: Uint8Array): void {
  for (let i = digits.length - 1; i >= 0; i -= 1) {
    const next = (digits[i] ?? 0) + 1;
    digits[i] = next & 31;
    if (next < 32) return;
  }
}
