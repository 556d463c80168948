/** What a make-it-so would do to AWS, in words, with the time that it takes and what it costs. */
import type { Affected, ModelView, Plan, PlanStep } from "@greco/conductor-kit";
import {
  canonicalJson,
  equalJson,
  parseEntityIdentity,
  type JsonValue,
  type ModelId,
} from "@greco/domain/model";
import { contentOf, runtimeOf, specOf, tableKey } from "@greco/query-kit";
import type { Looked } from "./check-region.ts";
import { functionName } from "./function-name.ts";
import { ACTIVATION_MS, PROVISIONING_MS, type LambdaLimits } from "./limits.ts";

export const isLambda = (entity: Affected["after"]): boolean =>
  entity !== undefined && runtimeOf(entity.spec) === "lambda";

/** Control-plane calls until it is ready: create or list, configuration and code, publish; then what is reserved. */
function callsOf({ wanted, exists }: Looked): number {
  const versions = exists ? 4 : 2;
  // Environments are asked for once, and looked at until they are there.
  const provisioned = wanted.provisioned === undefined ? 0 : 4;
  return versions + provisioned + (wanted.reserved === undefined ? 0 : 1);
}

export function prepareTimeMs(looked: readonly Looked[], limits: LambdaLimits): number {
  if (looked.length === 0) return 0;
  const calls = looked.reduce((sum, each) => sum + callsOf(each), 0);
  const provisions = looked.some(({ wanted }) => wanted.provisioned !== undefined);
  return (
    Math.ceil((calls * 1_000) / limits.controlCallsPerSecond) +
    ACTIVATION_MS +
    (provisions ? PROVISIONING_MS : 0)
  );
}

export type Place = { readonly prefix: string; readonly model: ModelId };

export function stepsOf(
  each: Affected,
  { before, after }: { readonly before: ModelView; readonly after: ModelView },
  { prefix, model }: Place,
): readonly PlanStep[] {
  const name = functionName({ prefix, model, entity: each.identity });
  const step = { object: `function ${name}`, entity: each.key };
  const [was, is] = [isLambda(each.before), isLambda(each.after)];
  if (!is)
    return [
      {
        ...step,
        action: "delete",
        risk: "high",
        note: "when every lane has crossed and no replay needs it any more; it cannot be had back",
      },
    ];
  const { from = "", to = "" } = each.after === undefined ? {} : specOf(each.after.spec);
  if (!was) {
    const note = `${from} → ${to}, from its marker on`;
    return [{ ...step, action: "create", risk: "low", note }];
  }
  const because = differs(each, before, after);
  return because === undefined ? [] : [{ ...step, action: "update", risk: "medium", note: because }];
}

/** Undefined: what runs as before. */
export function differs(each: Affected, before: ModelView, after: ModelView): string | undefined {
  const [old, now] = [each.before, each.after];
  if (old === undefined || now === undefined) return "a new version";
  const { name } = parseEntityIdentity(each.identity);
  const text = (entity: typeof old, view: ModelView): string =>
    canonicalJson(contentOf(name, entity.spec, view) as unknown as JsonValue);
  const settings = (entity: typeof old): JsonValue | undefined => specOf(entity.spec).lambda;
  const [was, is] = [text(old, before), text(now, after)];
  if (each.change !== "none" && (was !== is || !equalJson(settings(old), settings(now))))
    return "a new version; lanes go on with the old one up to the marker";
  if (was !== is) return "a new version, with the changed schemas that it sees";
  const tables = (specOf(now.spec).tables ?? [])
    .map(tableKey)
    .filter((key) => before.get(key)?.specJson !== after.get(key)?.specJson);
  return tables.length === 0 ? undefined : `a new version, with the changed ${tables.join(", ")}`;
}

export function costOf(looked: readonly Looked[]): string {
  let warmMb = 0;
  for (const { wanted } of looked) warmMb += (wanted.provisioned ?? 0) * wanted.config.memoryMb;
  if (warmMb === 0) return "calls and their duration; nothing while nobody calls";
  const gigabytes = Math.ceil((warmMb / 1_024) * 10) / 10;
  return `calls and their duration; ${gigabytes} GB are kept warm all the time`;
}

export const planOf = (
  looked: readonly Looked[],
  steps: readonly PlanStep[],
  unchecked: readonly string[],
  limits: LambdaLimits,
): Plan => ({
  steps,
  prepareTimeMs: prepareTimeMs(looked, limits),
  cost: [
    ...(looked.length === 0 ? [] : [costOf(looked)]),
    ...unchecked.map((what) => `warning: ${what} could not be checked`),
  ].join("; "),
});
