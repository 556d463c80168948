/**
 * `greco drift`, `greco repair`, `greco doctor aws`: conductors are asked to look at their region, as a plan asks for
 * a review: over the control log, answered by gRPC (I10). Nothing of the model changes, and nothing is waited for
 * that is not asked here, so that any replica asks, whoever drives.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  InspectRequest_Subject as Subject,
  type InspectRequest,
  type InspectResponseSchema,
  type MendRequest,
} from "@greco/contracts/greco/commit/v1/commit";
import { Inspect_Mode as Mode } from "@greco/contracts/greco/conductor/v1/conductor";
import { auditOperation } from "@greco/control-kit";
import { conductorId, type ConductorId, type ModelId } from "@greco/domain/model";
import { fault, type CallContext } from "@greco/service-kit";
import { ask, timeoutOf } from "../asking/ask.ts";
import type { Coordinator } from "../coordinator.ts";
import { requireModel } from "../handlers/register.ts";
import { conductorName, conductorOf, modelName, modelOf } from "../names.ts";
import { readRegistrations } from "../store/conductor-store.ts";
import { toDuration, toTimestamp } from "../wire/time.ts";

type Part = MessageInitShape<typeof InspectResponseSchema>;

export function inspect(
  coordinator: Coordinator,
  request: InspectRequest,
  { signal }: CallContext,
): AsyncGenerator<Part, void, undefined> {
  const { inspectTimeoutMs: defaultMs } = coordinator.parts.limits;
  const mode = request.subject === Subject.ACCESS ? Mode.ACCESS : Mode.DRIFT;
  return inspectAll(coordinator, { request, mode, defaultMs }, signal);
}

/** Whoever may release may have the region made as he has released it; audited before anybody is asked. */
export function mend(
  coordinator: Coordinator,
  request: MendRequest,
  { signal, caller, method }: CallContext,
): AsyncGenerator<Part, void, undefined> {
  const { store, clock, ids, limits, log } = coordinator.parts;
  const audit = async (model: ModelId, asked: ReadonlySet<ConductorId>): Promise<void> => {
    const conductors = [...asked].map(conductorName);
    const operation = auditOperation(model, ids.next(), {
      timeMs: clock.nowMs(),
      actor: caller.subject,
      resource: modelName(model),
      reason: request.reason,
      outcome: "asked",
      detail: { conductors },
      method,
    });
    await store.transact({ compare: [], then: [operation] }, signal);
    log.warn("region.mend-asked", { model, by: caller.subject, reason: request.reason, conductors });
  };
  return inspectAll(
    coordinator,
    { request, mode: Mode.MEND, defaultMs: limits.mendTimeoutMs, audit },
    signal,
  );
}

type Inspection = {
  readonly request: Pick<InspectRequest, "model" | "conductor" | "timeout">;
  readonly mode: Mode;
  readonly defaultMs: number;
  readonly audit?: (model: ModelId, asked: ReadonlySet<ConductorId>) => Promise<void>;
};

async function* inspectAll(
  coordinator: Coordinator,
  { request, mode, defaultMs, audit }: Inspection,
  signal: AbortSignal,
): AsyncGenerator<Part, void, undefined> {
  const { parts, inspections } = coordinator;
  const model = modelOf(request.model);
  const timeoutMs = timeoutOf(request.timeout, { defaultMs, maxMs: parts.limits.inspectTimeoutMaxMs });
  const asked = await askedOf(coordinator, model, request.conductor, signal);
  refuseTooMany(coordinator, model);
  using open = inspections.open(model, asked);
  await audit?.(model, asked);
  yield {
    part: { case: "header", value: { model: modelName(model), conductors: [...asked].map(conductorName) } },
  };
  const value = {
    mode,
    remaining: toDuration(timeoutMs * TIME_TO_LOOK),
    expireTime: toTimestamp(parts.clock.nowMs() + timeoutMs),
  };
  const asking = { model, open, command: { case: "inspect" as const, value }, timeoutMs };
  for await (const { conductor, answer } of ask(coordinator, asking, signal))
    yield {
      part: { case: "conductor", value: { conductor: conductorName(conductor), inspected: answer } },
    };
  const silent = open.silent().map(conductorName);
  parts.log.info("region.inspected", { model, mended: mode === Mode.MEND, asked: asked.size, silent });
  yield { part: { case: "summary", value: { silent } } };
}

/** The rest is for the answer's way: who is slow can say so, and is not taken for silent. */
const TIME_TO_LOOK = 0.9;

/** Those that have a vote: who joins has made nothing yet, who was deregistered answers for nothing. */
async function askedOf(
  { parts }: Coordinator,
  model: ModelId,
  wanted: string,
  signal: AbortSignal,
): Promise<ReadonlySet<ConductorId>> {
  const [, { value }] = await Promise.all([
    requireModel(parts, model, signal),
    readRegistrations(parts.store, model, signal),
  ]);
  const active = value.active.map(({ conductor }) => conductorId(conductor)).toSorted();
  if (wanted === "") return new Set(active);
  const one = conductorOf(wanted);
  if (active.includes(one)) return new Set([one]);
  const there = active.length === 0 ? "none" : active.join(", ");
  throw fault.notFound(
    "CONDUCTOR_NOT_FOUND",
    `${modelName(model)}/${conductorName(one)}`,
    `${one} has no vote in ${model}, so it has made nothing there; those that have one: ${there}`,
  );
}

function refuseTooMany({ parts, inspections }: Coordinator, model: ModelId): void {
  const { inspectionsMax, inspectTimeoutMs } = parts.limits;
  const open = inspections.openOn(model);
  if (open < inspectionsMax) return;
  const message = `conductors of ${modelName(model)} are asked to look by ${open} callers already: ask again later`;
  throw fault.exhausted("TOO_MANY_INSPECTIONS", message, inspectTimeoutMs / inspectionsMax);
}
