/** Findings of drafts: of what an edit touched, as warnings; of the whole, as freeze sees them. */
import {
  checkChanges,
  checkCycles,
  checkDelete,
  checkEntity,
  type Finding,
  type SpecCheck,
} from "@greco/domain/model";
import type { DraftContent, EditLine } from "../drafts/content.ts";
import type { RegistryLimits } from "../limits.ts";

/** Costs what was edited: the search for cycles gives up after a while, and freeze does it again. */
export function findingsOfEdit(
  content: DraftContent,
  lines: readonly EditLine[],
  notes: readonly Finding[],
  checkSpec: SpecCheck,
  limits: Pick<RegistryLimits, "findingsTold" | "editVisits">,
): readonly Finding[] {
  const { base, state, kinds } = content;
  const findings: Finding[] = [...notes];
  const put: string[] = [];
  for (const [key, edit] of lines) {
    if (findings.length >= limits.findingsTold) break;
    const now = state.entities.get(key);
    if (now === undefined) findings.push(...checkDelete(state, key));
    else if (edit.action === "put") {
      put.push(key);
      findings.push(...checkEntity({ before: base, after: state }, key, now.specJson, kinds, checkSpec));
    }
  }
  findings.push(...checkCycles(state, put, limits.editVisits));
  return findings.slice(0, limits.findingsTold).map((each) => ({ ...each, severity: "warning" }));
}

/** All findings, errors as errors. */
export function findingsOfDraft(
  { base, state, changes, kinds }: DraftContent,
  checkSpec: SpecCheck,
): readonly Finding[] {
  return checkChanges({ before: base, after: state }, changes, kinds, checkSpec);
}
