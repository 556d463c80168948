// What the two versions in earthquakes/ must give, in plain code: the second opinion on Greco's CEL, which the main
// job's own checker evaluates with the same library.
import { isDeepStrictEqual } from "node:util";

export type Earthquake = {
  readonly id: string;
  readonly properties: {
    readonly mag: number | null;
    readonly place: string;
    readonly felt: number | null;
    readonly cdi: number | null;
  };
  readonly geometry: { readonly coordinates: readonly number[] };
};

/** A line of `--out`. */
export type OutputLine = { readonly epoch: number; readonly output: { readonly id?: unknown } };

/** Undefined: no alert. */
export function alertByHand(version: 1 | 2, { id, properties, geometry }: Earthquake): unknown {
  const { mag, place, felt, cdi } = properties;
  if (mag === null || mag < (version === 1 ? 1 : 0.5)) return undefined;
  return {
    id,
    place,
    magnitude: mag,
    depth: geometry.coordinates[2],
    felt: version === 2 && felt === null ? 0 : felt,
    intensity: cdi,
  };
}

/**
 * Every line is what its version gives, none comes twice, and every earthquake that both versions alert of is there.
 * Of those that version 2 alone alerts of some must be there: the lines do not say which were read under it.
 */
export function mistakesByHand(
  earthquakes: readonly Earthquake[],
  lines: readonly OutputLine[],
  switchEpoch: number,
): string[] {
  const known = new Map(earthquakes.map((each) => [each.id, each]));
  const seen = new Set<string>();
  const mistakes: string[] = [];
  for (const { epoch, output } of lines) {
    const earthquake = known.get(String(output.id));
    const expected =
      earthquake === undefined ? undefined : alertByHand(epoch >= switchEpoch ? 2 : 1, earthquake);
    if (expected === undefined || !isDeepStrictEqual(output, expected))
      mistakes.push(`epoch ${epoch}: ${JSON.stringify(output)}, by hand ${JSON.stringify(expected)}`);
    if (seen.has(String(output.id))) mistakes.push(`${String(output.id)} comes twice`);
    seen.add(String(output.id));
  }
  for (const each of earthquakes)
    if (alertByHand(1, each) !== undefined && !seen.has(each.id)) mistakes.push(`${each.id} is missing`);
  if (!earthquakes.some((each) => alertByHand(1, each) === undefined && seen.has(each.id)))
    mistakes.push("nothing is there that version 2 alone alerts of");
  return mistakes;
}
