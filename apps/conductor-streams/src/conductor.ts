/**
 * Kind `stream`: its region are the lanes, and its binding says to ingresses and runtimes what the lanes of
 * the stream are to be. It vetoes what its store cannot do, and a schema that stored messages break.
 */
import type { Affected, Conductor, Finding, Plan, PlanStep } from "@greco/conductor-kit";
import { entityKey, equalJson, parseEntityIdentity, type JsonValue, type ModelId } from "@greco/domain/model";
import { checkAlike } from "@greco/expression";
import type { Clock, LaneStore } from "@greco/ports";
import { STREAM_LIMITS } from "./limits.ts";
import { checkStored } from "./stored.ts";
import { contentOf, findingsOf, specOf, type StreamSpec } from "./stream.ts";

export type StreamsDependencies = { readonly laneStore: LaneStore; readonly clock: Clock };

const nameOf = ({ identity }: Affected): string => parseEntityIdentity(identity).name;

export function createStreamsConductor(dependencies: StreamsDependencies): Conductor {
  return {
    name: "conductor-streams",
    kinds: ["stream"],

    async review({ model, affected }, signal) {
      const findings: Finding[] = [];
      for (const each of affected) findings.push(...(await findingsFor(dependencies, model, each, signal)));
      if (findings.length > 0) return { vote: "veto", findings };
      const steps = affected.flatMap(stepsOf);
      const plan: Plan = { steps, prepareTimeMs: STREAM_LIMITS.prepareMs, cost: "" };
      return { vote: "accept", claims: affected.map((each) => each.key), plan };
    },

    prepare({ claimed }) {
      return Promise.resolve(
        claimed.flatMap((each) =>
          each.after === undefined
            ? []
            : [{ entity: each.identity, content: contentOf(nameOf(each), each.after.spec) }],
        ),
      );
    },

    release: () => Promise.resolve(),
    undo: () => Promise.resolve(),
    retire: () => Promise.resolve(),

    /** Its own lanes, and those whose queries write to it: what they give is checked by its schema. */
    async inputsOf({ entity }, flows) {
      const { key, name } = parseEntityIdentity(entity);
      const writing = (await flows()).filter((flow) => flow.to === name);
      return [key, ...writing.map((flow) => entityKey("stream", flow.from))];
    },
  };
}

async function findingsFor(
  { laneStore, clock }: StreamsDependencies,
  model: ModelId,
  { key, identity, before, after }: Affected,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (after === undefined) return [];
  const findings = findingsOf(key, after.spec);
  const now = specOf(after.spec);
  if (findings.length > 0 || before === undefined || now.compatibility === "unchecked") return findings;
  // A description, however long the stream, is no reason to read it.
  if (checkAlike(specOf(before.spec).schema, now.schema)) return findings;
  const { broken, checked, complete } = await checkStored(
    { laneStore, clock, model },
    identity,
    now.schema,
    signal,
  );
  const about = { severity: "error", entity: key, fieldPath: "schema" } as const;
  if (!complete)
    return [
      {
        ...about,
        reason: "TOO_MANY_STORED",
        message: `the stream holds more than ${checked} messages, too many to check against a changed schema`,
        remedy: 'set compatibility to "unchecked" if the change only allows more, or publish to a new stream',
      },
    ];
  return broken.map(({ lane, seq, path, message }) => ({
    ...about,
    reason: "STORED_MESSAGES_BREAK",
    message: `a stored message breaks the new schema: lane ${lane}, seq ${seq}: ${path === "" ? "it" : path} ${message}`,
    remedy:
      'allow what is stored (make the field optional, or its type wider), or set compatibility to "unchecked"',
  }));
}

const sameJson = (a: unknown, b: unknown): boolean => equalJson(a as JsonValue, b as JsonValue);

function stepsOf(each: Affected): readonly PlanStep[] {
  const object = `lanes of ${nameOf(each)}`;
  const step = { action: each.change, object, entity: each.key };
  switch (each.change) {
    case "none":
      return [];
    case "create": {
      const { lanes = STREAM_LIMITS.lanesDefault } = specOf(each.after?.spec);
      return [{ ...step, action: "create", risk: "low", note: `${lanes} at each ingress` }];
    }
    case "delete":
      return [
        {
          ...step,
          action: "delete",
          risk: "high",
          note: "they end at the marker; what they hold goes with its retention",
        },
      ];
    case "update":
      return updatesOf(specOf(each.before?.spec), specOf(each.after?.spec)).map((update) => ({
        ...step,
        action: "update",
        ...update,
      }));
  }
}

function updatesOf(before: StreamSpec, after: StreamSpec): readonly Pick<PlanStep, "risk" | "note">[] {
  const updates: Pick<PlanStep, "risk" | "note">[] = [];
  const differs = (name: keyof StreamSpec): boolean => !sameJson(before[name] ?? null, after[name] ?? null);
  if (differs("retention"))
    updates.push({
      risk: "medium",
      note: `retention ${before.retention ?? "for ever"} → ${after.retention ?? "for ever"}: new lanes are opened, the old ones end`,
    });
  if (differs("lanes")) {
    const count = ({ lanes = STREAM_LIMITS.lanesDefault }: StreamSpec): number => lanes;
    updates.push({ risk: "low", note: `${count(before)} → ${count(after)} at each ingress` });
  }
  if (differs("schema")) {
    const unchecked = after.compatibility === "unchecked";
    if (checkAlike(before.schema, after.schema))
      updates.push({ risk: "low", note: "the schema says more, and checks the same" });
    else
      updates.push({
        risk: unchecked ? "high" : "medium",
        note: unchecked
          ? "another schema; stored messages were not checked"
          : "another schema; stored messages fit it",
      });
  }
  if (differs("key"))
    updates.push({
      risk: "medium",
      note: `key ${before.key ?? "of the publisher"} → ${after.key ?? "of the publisher"}`,
    });
  if (differs("access")) updates.push({ risk: "medium", note: "who may publish and subscribe" });
  return updates;
}
