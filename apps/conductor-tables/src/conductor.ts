/**
 * Kind `table`: reference data that queries look up by key. Its region is the binding store alone, so there
 * is nothing to release, and nothing to undo or retire beyond the binding itself.
 */
import type { Affected, Conductor, Plan, PlanStep } from "@greco/conductor-kit";
import { parseEntityIdentity } from "@greco/domain/model";
import { contentOf, findingsOf, specOf } from "./table.ts";

const nameOf = ({ identity }: Affected): string => parseEntityIdentity(identity).name;

/** One durable write, with room for a slow store. */
const PREPARE_MS = 1_000;

export const tablesConductor: Conductor = {
  name: "conductor-tables",
  kinds: ["table"],

  review({ affected }) {
    const findings = affected.flatMap((each) =>
      each.after === undefined ? [] : findingsOf(each.key, nameOf(each), each.after.spec),
    );
    if (findings.length > 0) return Promise.resolve({ vote: "veto", findings });
    const plan: Plan = { steps: affected.flatMap(stepsOf), prepareTimeMs: PREPARE_MS, cost: "" };
    return Promise.resolve({ vote: "accept", claims: affected.map((each) => each.key), plan });
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
};

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
