/**
 * Which units this runtime takes, leaves and gives up. Every runtime comes to the same owner for each unit, by
 * rendezvous hashing over the live members, so that nobody has to divide the work; when a member comes or goes, little
 * more than its share moves. Loads are bounded (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded
 * Loads, 2018): of few units, hashing alone may give one member all.
 */
import type { LaneId } from "@greco/domain/lane";
import type { EntityIdentity } from "@greco/domain/model";
import type { Claim } from "@greco/ports";
import type { RuntimeLimits } from "./limits.ts";

/** What is known of a unit that has work to do. */
export type UnitView = {
  readonly query: EntityIdentity;
  readonly lane: LaneId;
  readonly claim: Claim | undefined;
  /** Nobody's lease stands in the way: never claimed, given up, or its writer's lanes are sealed. */
  readonly free: boolean;
  /** For how long it was seen to be free. */
  readonly freeMs: number;
  /** The lanes that this one continues are done for the query. */
  readonly ready: boolean;
  /** This runtime executes the query. */
  readonly served: boolean;
  /** For how long this runtime has had it though it is another's, or since it took it; undefined: it has it not. */
  readonly heldMs: number | undefined;
};

export type Assignment = {
  readonly take: readonly UnitView[];
  readonly giveUp: readonly UnitView[];
  /** Held, and rightly. */
  readonly keep: readonly UnitView[];
};

export type AssignmentOptions = Pick<RuntimeLimits, "claimsAScan" | "movesAScan" | "holdMinMs"> & {
  readonly me: string;
  readonly live: readonly string[];
  /** A unit that its owner leaves lying for so long is anybody's. */
  readonly graceMs: number;
};

export function assign(units: readonly UnitView[], options: AssignmentOptions): Assignment {
  const { me, live, graceMs, claimsAScan, movesAScan, holdMinMs } = options;
  const take: UnitView[] = [];
  const giveUp: UnitView[] = [];
  const keep: UnitView[] = [];
  const owners = ownersOf(units, live);
  for (const unit of units) {
    const mine = owners.get(unit) === me;
    if (unit.heldMs !== undefined) {
      if (mine) keep.push(unit);
      // Not at once: while a lane is rolled over or a unit moves, there are more of them than before and after.
      else if (unit.heldMs >= holdMinMs && giveUp.length < movesAScan) giveUp.push(unit);
    } else if (
      unit.served &&
      unit.free &&
      unit.ready &&
      take.length < claimsAScan &&
      (mine || unit.freeMs >= graceMs)
    )
      take.push(unit);
  }
  return { take, giveUp, keep };
}

/** Times an even share, and at least that share, rounded up: the less there is to spare, the more moves. */
const SPARE = 1.25;

/** Each unit's owner: of the members that have room, the one with the highest hash. */
export function ownersOf(
  units: readonly UnitView[],
  live: readonly string[],
): ReadonlyMap<UnitView, string | undefined> {
  const share = units.length / Math.max(1, live.length);
  const most = Math.max(Math.ceil(share), Math.floor(share * SPARE));
  const loads = new Map<string, number>();
  const owners = new Map<UnitView, string | undefined>();
  // The same order for everybody.
  for (const unit of units.toSorted(byName)) {
    const roomy = live.filter((member) => (loads.get(member) ?? 0) < most);
    const owner = ownerOf(unit, roomy);
    owners.set(unit, owner);
    if (owner !== undefined) loads.set(owner, (loads.get(owner) ?? 0) + 1);
  }
  return owners;
}

function byName(a: UnitView, b: UnitView): number {
  if (a.query !== b.query) return a.query < b.query ? -1 : 1;
  if (a.lane === b.lane) return 0;
  return a.lane < b.lane ? -1 : 1;
}

/** The member with the highest hash for this unit. */
export function ownerOf(
  { query, lane }: Pick<UnitView, "query" | "lane">,
  live: readonly string[],
): string | undefined {
  let owner: string | undefined;
  let best = -1;
  for (const member of live) {
    const weight = hash(`${member}\n${query}\n${lane}`);
    if (weight > best || (weight === best && owner !== undefined && member < owner)) {
      owner = member;
      best = weight;
    }
  }
  return owner;
}

/** FNV-1a with a final mix (murmur3's): short texts that differ little get weights that differ much. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
