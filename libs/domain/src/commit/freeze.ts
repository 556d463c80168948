/**
 * Who votes (§4.1): frozen in the moment in which the proposal takes the slot, and never again changed. With
 * `all`, every conductor registered for the model; with `affected`, those that own the kind of an affected
 * entity, or registered for every kind. A conductor that joins votes on its own join.
 */
import type { ConductorId, KindId } from "../model/ids.ts";
import { unheard, type Voter } from "./vote.ts";

export type VoterPolicy = "all" | "affected";

export type Candidacy = {
  readonly conductor: ConductorId;
  /** Empty: every kind. */
  readonly kinds: readonly string[];
};

export function freezeVoters(
  policy: VoterPolicy,
  active: readonly Candidacy[],
  affectedKinds: ReadonlySet<KindId>,
  joining: ConductorId | undefined,
): Voter[] {
  const votes = ({ kinds }: Candidacy): boolean =>
    policy === "all" || kinds.length === 0 || kinds.some((kind) => affectedKinds.has(kind as KindId));
  const conductors = new Set(active.filter(votes).map((each) => each.conductor));
  if (joining !== undefined) conductors.add(joining);
  return [...conductors].toSorted().map(unheard);
}
