/** A candidate with what it touches, over as many messages as that needs. */
import type { Affected, Extent } from "../candidates/extent.ts";
import { affectedBytes, toAffected, type CandidateInit } from "./content.ts";

type Item = { readonly affected: Affected } | { readonly scope: string };

/** One message, in full or, too large for it, without. */
export function withExtent(
  model: string,
  candidate: CandidateInit,
  extent: Extent | undefined,
  bytesMax: number,
): CandidateInit {
  if (extent === undefined) return { ...candidate, extentPartial: true };
  const parts = extentParts(model, candidate, extent, bytesMax);
  const first = parts.next().value ?? candidate;
  return parts.next().done === true ? first : { ...candidate, extentPartial: true };
}

/** The candidate again and again, each time with the next part; at least once. */
export function* extentParts(
  model: string,
  candidate: CandidateInit,
  extent: Extent,
  bytesMax: number,
): Generator<CandidateInit, undefined> {
  let affected: Affected[] = [];
  let scope: string[] = [];
  let bytes = 0;
  const part = (extentPartial: boolean): CandidateInit => ({
    ...candidate,
    affected: affected.map((each) => toAffected(model, each)),
    scope,
    extentPartial,
  });
  for (const item of itemsOf(extent)) {
    const size = "affected" in item ? affectedBytes(item.affected) : item.scope.length + 8;
    if (bytes + size > bytesMax && bytes > 0) {
      yield part(true);
      [affected, scope, bytes] = [[], [], 0];
    }
    if ("affected" in item) affected.push(item.affected);
    else scope.push(item.scope);
    bytes += size;
  }
  yield part(false);
}

function* itemsOf({ affected, scope }: Extent): Generator<Item, undefined> {
  for (const each of affected) yield { affected: each };
  for (const each of scope) yield { scope: each };
}
