/** Times and durations, as people write and read them. */
import { CliError } from "./cli-error.ts";

type Timestamp = { readonly seconds: bigint; readonly nanos: number };

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `500ms`, `30s`, `1.5m`, `2h`, `7d` → milliseconds. */
export function parseDuration(text: string, flag: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (match === null)
    throw new CliError(
      `${flag} must be a time like 500ms, 30s, 10m, 2h or 7d; got '${text}'`,
      "write it with its unit and without spaces",
    );
  return Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
}

/** In UTC, to the second. */
export function timeText(time: Timestamp | undefined): string {
  if (time === undefined) return "";
  return new Date(Number(time.seconds) * 1_000 + time.nanos / 1e6).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The two largest units: `0.4s`, `12s`, `9m58s`, `2h5m`, `3d`. */
export function durationText(duration: Timestamp | undefined): string {
  if (duration === undefined) return "";
  const exact = Number(duration.seconds) + duration.nanos / 1e9;
  if (exact < 9.95) return `${Math.round(exact * 10) / 10}s`;
  const seconds = Math.round(exact);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join("");
}

export function toDuration(ms: number): Timestamp {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: Math.round((ms % 1_000) * 1e6) };
}
