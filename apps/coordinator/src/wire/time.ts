/** Durations and timestamps of the contract ↔ milliseconds. */
import { create } from "@bufbuild/protobuf";
import { DurationSchema, timestampFromMs, type Duration, type Timestamp } from "@bufbuild/protobuf/wkt";

export function toDuration(ms: number): Duration {
  const whole = Math.max(0, Math.round(ms));
  return create(DurationSchema, {
    seconds: BigInt(Math.floor(whole / 1000)),
    nanos: (whole % 1000) * 1_000_000,
  });
}

export function toMs(duration: Duration | undefined): number | undefined {
  return duration === undefined
    ? undefined
    : Number(duration.seconds) * 1000 + Math.round(duration.nanos / 1_000_000);
}

export const toTimestamp = (ms: number): Timestamp => timestampFromMs(Math.max(0, Math.round(ms)));
