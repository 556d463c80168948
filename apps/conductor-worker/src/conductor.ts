/**
 * Kind `query`, on the runtime's own worker threads. It vetoes what cannot run on the streams and tables as
 * they would be, whatever of them changes. Its region is the binding store: runtimes load programs by the
 * bindings, so there is nothing to release, and nothing to undo or retire beyond them.
 */
import type {
  Affected,
  Conductor,
  Finding,
  ModelView,
  NewBinding,
  Plan,
  PlanStep,
} from "@greco/conductor-kit";
import { canonicalJson, parseEntityIdentity, type EntityKey, type JsonValue } from "@greco/domain/model";
import type { QueryContent } from "@greco/domain/epoch";
import type { Clock } from "@greco/ports";
import { contentOf, QueryChecker, runtimeOf, specOf, streamKey, tableKey } from "@greco/query-kit";
import { PREPARE_MS, QUERIES_A_TURN } from "./limits.ts";

const nameOf = ({ identity }: Affected): string => parseEntityIdentity(identity).name;

const textOf = (name: string, spec: unknown, view: ModelView): string =>
  canonicalJson(contentOf(name, spec, view) as unknown as JsonValue);

/** As it would be, or, when it is deleted, as it was. */
const isMine = (each: Affected): boolean => {
  const entity = each.after ?? each.before;
  return entity !== undefined && runtimeOf(entity.spec) === "worker";
};

export type WorkerDependencies = { readonly clock: Clock };

export function createWorkerConductor({ clock }: WorkerDependencies): Conductor {
  return {
    name: "conductor-worker",
    kinds: ["query"],
    watches: ["stream", "table"],

    async review({ affected, before, after }, signal) {
      const mine = affected.filter(isMine);
      const checker = new QueryChecker(before, after);
      const findings: Finding[] = [];
      const steps: PlanStep[] = [];
      for (const [index, each] of mine.entries()) {
        findings.push(...checker.findingsOf(each));
        if (findings.length === 0) steps.push(...stepsOf(each, before, after));
        // Others of this process have work to do, too.
        if (index % QUERIES_A_TURN === QUERIES_A_TURN - 1) await clock.sleep(0, signal);
      }
      if (findings.length > 0) return { vote: "veto", findings };
      const plan: Plan = { steps, prepareTimeMs: PREPARE_MS, cost: "" };
      return { vote: "accept", claims: mine.map((each) => each.key), plan };
    },

    /** What runs as before is not published again: the kit compares the contents. */
    async prepare({ claimed, after }, signal) {
      const bindings: NewBinding[] = [];
      for (const [index, each] of claimed.entries()) {
        if (each.after !== undefined)
          bindings.push({ entity: each.identity, content: textOf(nameOf(each), each.after.spec, after) });
        if (index % QUERIES_A_TURN === QUERIES_A_TURN - 1) await clock.sleep(0, signal);
      }
      return bindings;
    },

    release: () => Promise.resolve(),
    undo: () => Promise.resolve(),
    retire: () => Promise.resolve(),

    takes: isMine,
    owns: (content) => (JSON.parse(content) as QueryContent).lambda === undefined,
    inputsOf: ({ content }) => Promise.resolve([streamKey((JSON.parse(content) as QueryContent).from)]),
  };
}

function stepsOf(each: Affected, before: ModelView, after: ModelView): readonly PlanStep[] {
  const object = `program ${parseEntityIdentity(each.identity).name}@${parseEntityIdentity(each.identity).createdVersion}`;
  const step = { object, entity: each.key };
  if (each.change === "create") {
    const { from, to } = specOf(each.after?.spec);
    return [{ ...step, action: "create", risk: "low", note: `${from} → ${to}, from its marker on` }];
  }
  if (each.change === "delete") {
    const { from } = specOf(each.before?.spec);
    return [{ ...step, action: "delete", risk: "medium", note: `messages of ${from} go no further by it` }];
  }
  if (each.before === undefined || each.after === undefined) return [];
  const name = nameOf(each);
  const differs = textOf(name, each.before.spec, before) !== textOf(name, each.after.spec, after);
  const tables = changedTables(each.after.spec, before, after);
  if (!differs && tables.length === 0) return [];
  const because = tables.length === 0 ? "" : `with the changed ${tables.join(", ")}`;
  const note = differs && each.change === "none" ? "with the changed schemas that it sees" : because;
  return [{ ...step, action: "update", risk: "medium", note }];
}

function changedTables(spec: unknown, before: ModelView, after: ModelView): readonly EntityKey[] {
  const keys = (specOf(spec).tables ?? []).map(tableKey);
  return keys.filter((key) => before.get(key)?.specJson !== after.get(key)?.specJson);
}
