/**
 * What is wrong with the claims of a plan. A claim comes with an accept: of who vetoes, or keeps silent, nobody knows
 * what it would claim. So an entity is claimed by none only if everybody who is registered for its kind accepted.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Severity, type FindingSchema } from "@greco/contracts/greco/model/v1/model";
import type { Candidate } from "@greco/contracts/greco/registry/v1/registry";
import { claimProblems, type Candidacy, type Voter } from "@greco/domain/commit";
import { parseEntityResource } from "@greco/domain/model";
import { claimableOf } from "../driver/candidates.ts";

type Finding = MessageInitShape<typeof FindingSchema>;

export function claimFindings(
  candidate: Candidate,
  asked: readonly Candidacy[],
  voters: readonly Voter[],
): Finding[] {
  const accepted = new Set(
    voters.filter(({ vote }) => vote.stage === "accepted").map(({ conductor }) => conductor),
  );
  const unknown = asked.filter(({ conductor }) => !accepted.has(conductor));
  const mayClaim = (entity: string): boolean => {
    const kind = parseEntityResource(entity)?.kind ?? "";
    return unknown.some(({ kinds }) => kinds.length === 0 || kinds.includes(kind));
  };
  return claimProblems(claimableOf(candidate), voters).flatMap(({ entity, claimedBy }): Finding[] => {
    if (claimedBy.length > 0) return [severalFinding(entity, claimedBy)];
    return mayClaim(entity) ? [] : [noneFinding(entity)];
  });
}

const noneFinding = (entity: string): Finding => ({
  severity: Severity.ERROR,
  entity,
  reason: "CLAIMED_BY_NONE",
  message: "no conductor makes this entity its own",
  remedy: "register a conductor for it, or change it so that one takes it",
});

const severalFinding = (entity: string, claimedBy: readonly string[]): Finding => ({
  severity: Severity.ERROR,
  entity,
  reason: "CLAIMED_BY_SEVERAL",
  message: `claimed by ${claimedBy.join(" and ")}`,
  remedy: "change it so that one conductor alone takes it",
});
