/** What every part of a store stands on. */
import type { Clock, Log } from "@greco/ports";
import type { Gate } from "./gate.ts";
import type { ModelKey } from "./keys.ts";
import type { LaneLimits } from "./limits.ts";
import type { Sites } from "./sites.ts";

export type Core = {
  readonly sites: Sites;
  readonly key: ModelKey;
  readonly space: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly gate: Gate;
};

export type LaneCore = Core & { readonly limits: LaneLimits };
