/**
 * Kind `table`: reference data that queries look up by key. Its region is the binding store alone, so there
 * is nothing to release, and nothing to undo or retire beyond the binding itself.
 */
import type { Affected, Conductor, Finding, NewBinding, Plan, PlanStep } from "@greco/conductor-kit";
import { entityKey, parseEntityIdentity } from "@greco/domain/model";
import type { Clock } from "@greco/ports";
import { CHARS_A_TURN, TABLE_CHARS_LEAST } from "./limits.ts";
import { contentOf, findingsOf, specOf } from "./table.ts";

const nameOf = ({ identity }: Affected): string => parseEntityIdentity(identity).name;

/** One durable write, with room for a slow store. */
const PREPARE_MS = 1_000;

export type TablesDependencies = { readonly clock: Clock };

export function createTablesConductor({ clock }: TablesDependencies): Conductor {
  return {
    name: "conductor-tables",
    kinds: ["table"],

    async review({ affected }, signal) {
      const findings: Finding[] = [];
      await inTurns(affected, clock, signal, (each) => {
        if (each.after !== undefined) findings.push(...findingsOf(each.key, nameOf(each), each.after.spec));
      });
      if (findings.length > 0) return { vote: "veto", findings };
      const plan: Plan = { steps: affected.flatMap(stepsOf), prepareTimeMs: PREPARE_MS, cost: "" };
      return { vote: "accept", claims: affected.map((each) => each.key), plan };
    },

    async prepare({ claimed }, signal) {
      const bindings: NewBinding[] = [];
      await inTurns(claimed, clock, signal, (each) => {
        if (each.after !== undefined)
          bindings.push({ entity: each.identity, content: contentOf(nameOf(each), each.after.spec) });
      });
      return bindings;
    },

    release: () => Promise.resolve(),
    undo: () => Promise.resolve(),
    retire: () => Promise.resolve(),

    /** Lanes run a table by the queries that look it up. */
    async inputsOf({ entity }, flows) {
      const { name } = parseEntityIdentity(entity);
      const lookedUp = (await flows()).filter((flow) => flow.tables.includes(name));
      return lookedUp.map((flow) => entityKey("stream", flow.from));
    },
  };
}

/** A large table takes some ten milliseconds, as do many small ones; others of this process have work to do, too. */
async function inTurns(
  all: readonly Affected[],
  clock: Clock,
  signal: AbortSignal,
  work: (each: Affected) => void,
): Promise<void> {
  let chars = 0;
  for (const each of all) {
    work(each);
    chars += TABLE_CHARS_LEAST + (each.after?.specJson.length ?? 0);
    if (chars < CHARS_A_TURN) continue;
    chars = 0;
    await clock.sleep(0, signal);
  }
}

function stepsOf(each: Affected): readonly PlanStep[] {
  if (each.change === "none") return [];
  const rows = (each.after ?? each.before)?.spec;
  const count = rows === undefined ? 0 : specOf(rows).rows.length;
  const step = { action: each.change, object: `table ${nameOf(each)}`, entity: each.key } as const;
  switch (each.change) {
    case "create":
      return [{ ...step, risk: "low", note: `${count} rows` }];
    case "update":
      return [
        { ...step, risk: "medium", note: `${count} rows; every query that looks it up goes on with them` },
      ];
    case "delete":
      return [{ ...step, risk: "low", note: "no query looks it up any more" }];
  }
}
