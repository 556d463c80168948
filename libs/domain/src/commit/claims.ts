/** An affected entity is claimed by exactly one voter, unless its kind needs none (§4.1). */
import type { Voter } from "./vote.ts";

export type ClaimProblem = { readonly entity: string; readonly claimedBy: readonly string[] };

export function claimProblems(claimable: readonly string[], voters: readonly Voter[]): ClaimProblem[] {
  const claimedBy = new Map<string, string[]>(claimable.map((entity) => [entity, []]));
  for (const { conductor, vote } of voters) {
    if (vote.stage !== "accepted" && vote.stage !== "ready") continue;
    for (const entity of new Set(vote.plan.claims)) claimedBy.get(entity)?.push(conductor);
  }
  return [...claimedBy]
    .filter(([, conductors]) => conductors.length !== 1)
    .map(([entity, conductors]) => ({ entity, claimedBy: conductors }));
}

const SHOWN = 5;

export function describeClaims(problems: readonly ClaimProblem[]): string {
  const each = problems.slice(0, SHOWN).map(({ entity, claimedBy }) => {
    const name = entity.split("/").slice(-2).join("/");
    return claimedBy.length === 0 ? `${name} by none` : `${name} by ${claimedBy.join(" and ")}`;
  });
  const more = problems.length > SHOWN ? ` and ${problems.length - SHOWN} more` : "";
  return (
    `each changed entity needs exactly one conductor that makes it its own; claimed: ${each.join(", ")}${more}. ` +
    "Register a conductor for it, or change the entity so that one conductor alone takes it"
  );
}
