/** What must be on AWS of a query that is in force: its version, alone, ours, and as the epoch says it. */
import type { FunctionState } from "./aws.ts";
import { nameOf, type InForce } from "./query.ts";

const ALIAS = "live";

/** Empty: it is so. */
export function standingProblems(now: InForce, found: FunctionState | undefined): readonly string[] {
  if (found === undefined) return [`${nameOf(now)} is in force, and there is no such function`];
  const { versions, aliases, reserved, tags } = found;
  const problems: string[] = [];
  const mine = versions.find(({ version }) => version === now.version);
  if (mine?.codeSha256 !== now.codeSha256)
    problems.push(`${nameOf(now)} has code ${mine?.codeSha256}, its binding says ${now.codeSha256}`);
  const others = versions.filter(({ version }) => version !== now.version).map(({ version }) => version);
  if (others.length > 0) problems.push(`beside version ${now.version} there is ${others.join(", ")}`);
  if (new Set(versions.map(({ content }) => content)).size < versions.length)
    problems.push(`two versions have one content: of ${versions.map(({ version }) => version).join(", ")}`);
  if (aliases[ALIAS] !== now.version) problems.push(`alias ${ALIAS} is at ${aliases[ALIAS]}`);
  if (reserved !== now.state.reserved)
    problems.push(`${reserved} are reserved, and not ${now.state.reserved}`);
  if (tags["greco:entity"] !== now.entity) problems.push(`its tags are ${JSON.stringify(tags)}`);
  return problems;
}
