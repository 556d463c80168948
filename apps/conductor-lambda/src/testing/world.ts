/** A conductor on a region in memory and a simulated clock, as the kit would drive it. */
import { candidateId, modelId, type CandidateId, type EntityIdentity } from "@greco/domain/model";
import type { Conductor, NewBinding, ReviewRequest } from "@greco/conductor-kit";
import { preparationOf, reviewOf, type Specs } from "@greco/conductor-kit/testing";
import type { QueryContent } from "@greco/domain/epoch";
import { simulatedClock, simulatedIds, type SimulatedClock } from "@greco/simulation";
import { createLog } from "@greco/service-kit";
import { createLambdaConductor, type LiveView } from "../conductor.ts";
import { LAMBDA_LIMITS, type LambdaLimits } from "../limits.ts";
import type { Workshop } from "../make-function.ts";
import { noMetrics } from "@greco/ports";
import { pacedRegion } from "../paced-region.ts";
import { TokenBucket } from "../rate.ts";
import { Turns } from "../turns.ts";
import type { Packaging, Wishes } from "../wanted.ts";
import { MemoryRegion, shaOf, type Delays } from "./memory-region.ts";

export const MODEL = modelId("m");
export const ROLE = "arn:aws:iam::123456789012:role/runs-queries";
export const TRUST = JSON.stringify({
  Statement: [
    { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: ["lambda.amazonaws.com"] } },
  ],
});

/** As small as a zip can be: what differs in the query or its tables differs in it. */
export const smallPackaging: Packaging = {
  runtime: "nodejs22.x",
  handler: "index.handler",
  codeOf(query, tables) {
    const zip = new TextEncoder().encode(JSON.stringify([query, tables]));
    return Promise.resolve({ zip, codeSha256: shaOf(zip), unzippedBytes: zip.byteLength });
  },
};

export const signal = new AbortController().signal;

const object = (properties: object) => ({ schema: { type: "object", properties } });
export const streams: Specs = {
  "stream/flights": object({ delay: { type: "integer" } }),
  "stream/paid": object({ euros: { type: "number" } }),
  "table/bands": {
    key: "band",
    rows: [{ band: "far", euros: 600 }],
    ...object({ band: { type: "string" }, euros: { type: "number" } }),
  },
};

/** `query/late` with `runtime: lambda`, at a threshold. */
export const late = (euros: number, lambda: object = {}, name = "late"): Specs => ({
  [`query/${name}`]: {
    from: "flights",
    to: "paid",
    where: "event.delay >= 180",
    select: { euros: `${euros}.0` },
    runtime: "lambda",
    lambda,
  },
});

export type WorldOptions = {
  readonly seed?: number;
  readonly limits?: Partial<LambdaLimits>;
  readonly delays?: Partial<Delays>;
};

export class World {
  readonly clock: SimulatedClock = simulatedClock();
  readonly region: MemoryRegion;
  readonly limits: LambdaLimits;
  readonly wishes: Wishes = { prefix: "greco", defaultRole: ROLE, packaging: smallPackaging };
  readonly #seed: number;
  settled = true;
  readonly touched: EntityIdentity[] = [];

  constructor({ seed = 1, limits = {}, delays = {} }: WorldOptions = {}) {
    this.#seed = seed;
    this.limits = { ...LAMBDA_LIMITS, ...limits };
    this.region = new MemoryRegion(this.clock, delays);
    this.region.roles.set(ROLE, { arn: ROLE, trustPolicy: TRUST });
  }

  readonly live: LiveView = {
    isSettled: () => this.settled,
    touch: (_model, entity) => void this.touched.push(entity),
    attend: (_attendance, over) => untilAborted(over),
  };

  /** A new process: nothing of the one before is in memory. */
  workshop(): Workshop {
    const { clock, limits } = this;
    const control = new TokenBucket(clock, limits.controlCallsPerSecond);
    const reads = new TokenBucket(clock, limits.readsPerSecond);
    const region = pacedRegion(this.region, { control, reads }, noMetrics.counter("", ""), "first");
    const log = createLog({ service: "test", level: "silent" });
    return { region, clock, ids: simulatedIds(this.#seed), log, limits };
  }

  conductor(): Conductor {
    const workshop = this.workshop();
    const parts = { workshop, unhurried: workshop, live: this.live, turns: new Turns() };
    return createLambdaConductor({ ...parts, ...this.wishes });
  }

  /** Prepares as the kit does; what was intended is in `objects` before anything is made. */
  prepare(
    conductor: Conductor,
    request: ReviewRequest,
    objects: string[],
    over: AbortSignal = signal,
    candidate: CandidateId = candidateId("c1"),
  ): Promise<readonly NewBinding[]> {
    const preparation = preparationOf(request, candidate);
    const intend = (all: readonly string[]): Promise<void> => {
      objects.push(...all);
      return Promise.resolve();
    };
    return this.clock.drive(conductor.prepare({ ...preparation, intend }, over));
  }

  undo(conductor: Conductor, objects: readonly string[], candidate = candidateId("c1")): Promise<void> {
    return this.clock.drive(conductor.undo({ model: MODEL, candidate, claims: [], objects }, signal));
  }
}

const untilAborted = (over: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    over.addEventListener("abort", () => reject(over.reason as Error), { once: true });
  });

/** Nobody looks at what follows the crossing. */
export const nobodyLooks: LiveView = {
  isSettled: () => true,
  touch: () => undefined,
  attend: (_attendance, over) => untilAborted(over),
};

export const requestOf = (changes: Specs, before: Specs = streams): ReviewRequest => {
  const referring: string[] = [];
  return reviewOf({ before, changes, referring, kinds: ["query"] });
};

export const lambdaOf = (binding: NewBinding | undefined): NonNullable<QueryContent["lambda"]> => {
  const { lambda } = JSON.parse(binding?.content ?? "{}") as QueryContent;
  if (lambda === undefined) throw new Error("the binding names no function");
  return lambda;
};
