/**
 * Times in expressions, the same on every machine: nothing here reads the machine's own time zone, so a replay
 * elsewhere gives the same answer (I6).
 */

const firstMs = -62_135_596_800_000;
const lastMs = 253_402_300_799_999;
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

export class TimeError extends Error {
  override name = "TimeError";
}

export function parseTimestamp(text: string): Date {
  if (text.length > 40 || !RFC_3339.test(text)) {
    throw new TimeError(`${quote(text)} is no time such as "2024-01-31T12:30:00Z", with a time zone`);
  }
  return timestampOf(Date.parse(text.replace(" ", "T").toUpperCase()), text);
}

export function timestampOfSeconds(seconds: number): Date {
  return timestampOf(Math.trunc(seconds * 1000), String(seconds));
}

function timestampOf(ms: number, given: string): Date {
  if (ms >= firstMs && ms <= lastMs) return new Date(ms);
  throw new TimeError(`${quote(given)} is no time between the years 1 and 9999`);
}

const units: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
};
const DURATION = /^[+-]?(?:\d{1,15}(?:\.\d{1,9})?(?:h|ms|m|s|us|ns))+$/;
const DURATION_PART = /(\d{1,15})(?:\.(\d{1,9}))?(h|ms|m|s|us|ns)/g;

/** Nanoseconds of `1h30m`, `-1.5s`, `250ms`. */
export function parseDuration(text: string): bigint {
  if (text.length > 64 || !DURATION.test(text)) {
    throw new TimeError(`${quote(text)} is no duration such as "1h30m" or "250ms"`);
  }
  let nanos = 0n;
  for (const [, whole = "0", fraction = "", unit = "s"] of text.matchAll(DURATION_PART)) {
    const scale = units[unit] ?? 1n;
    nanos += BigInt(whole) * scale + (BigInt(fraction.padEnd(9, "0")) * scale) / 1_000_000_000n;
  }
  return text.startsWith("-") ? -nanos : nanos;
}

/** The field of a time, as CEL counts it: months and days of the month from 0, Sunday is 0. */
export type TimeField =
  | "getDate"
  | "getDayOfMonth"
  | "getDayOfWeek"
  | "getDayOfYear"
  | "getFullYear"
  | "getHours"
  | "getMilliseconds"
  | "getMinutes"
  | "getMonth"
  | "getSeconds";

export const timeFields: readonly TimeField[] = [
  "getDate",
  "getDayOfMonth",
  "getDayOfWeek",
  "getDayOfYear",
  "getFullYear",
  "getHours",
  "getMilliseconds",
  "getMinutes",
  "getMonth",
  "getSeconds",
];

export function timeField(time: Date, field: TimeField, zone = "UTC"): bigint {
  // The time as the zone's clocks show it, taken as if it were UTC.
  const shown = zone === "UTC" ? time : new Date(time.getTime() + offsetMs(time, zone));
  switch (field) {
    case "getDate":
      return BigInt(shown.getUTCDate());
    case "getDayOfMonth":
      return BigInt(shown.getUTCDate() - 1);
    case "getDayOfWeek":
      return BigInt(shown.getUTCDay());
    case "getDayOfYear":
      return BigInt(Math.floor((shown.getTime() - startOfYear(shown)) / 86_400_000));
    case "getFullYear":
      return BigInt(shown.getUTCFullYear());
    case "getHours":
      return BigInt(shown.getUTCHours());
    case "getMilliseconds":
      return BigInt(shown.getUTCMilliseconds());
    case "getMinutes":
      return BigInt(shown.getUTCMinutes());
    case "getMonth":
      return BigInt(shown.getUTCMonth());
    case "getSeconds":
      return BigInt(shown.getUTCSeconds());
  }
}

function startOfYear(time: Date): number {
  return new Date(0).setUTCFullYear(time.getUTCFullYear(), 0, 1);
}

const formats = new Map<string, Intl.DateTimeFormat>();
const formatsMax = 100;
const FIXED = /^([+-])(\d\d):(\d\d)$/;

function offsetMs(time: Date, zone: string): number {
  const fixed = FIXED.exec(zone);
  if (fixed !== null)
    return (fixed[1] === "-" ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(time)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const shown = new Date(0);
  shown.setUTCFullYear(year, month - 1, day);
  shown.setUTCHours(hour, minute, second);
  return shown.getTime() - Math.floor(time.getTime() / 1000) * 1000;
}

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  if (formats.size >= formatsMax) formats.clear();
  const format = createFormat(zone);
  formats.set(zone, format);
  return format;
}

function createFormat(zone: string): Intl.DateTimeFormat {
  const number = "numeric";
  try {
    return new Intl.DateTimeFormat("en-u-ca-iso8601-hc-h23", {
      timeZone: zone.slice(0, 64),
      year: number,
      month: number,
      day: number,
      hour: number,
      minute: number,
      second: number,
    });
  } catch (error) {
    throw new TimeError(`${quote(zone)} is no time zone such as "Europe/Berlin"`, { cause: error });
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 63)}…` : text);
}
