/** Who votes in a model: one small record, so that promote can compare it as a whole (§4.4). */
export type Registration = {
  readonly conductor: string;
  /** Kind ids; empty: every kind. */
  readonly kinds: readonly string[];
  /** The version from which it counts. */
  readonly sinceVersion: number;
};

export type Registrations = {
  readonly active: readonly Registration[];
  /** Registered, but their join proposal is not promoted yet. */
  readonly joining: readonly Registration[];
};

export const noRegistrations: Registrations = { active: [], joining: [] };

export function encodeRegistrations(registrations: Registrations): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(registrations));
}

export function decodeRegistrations(value: Uint8Array): Registrations {
  return JSON.parse(new TextDecoder().decode(value)) as Registrations;
}

/** What promote writes when it makes joins count. */
export function admitJoining(
  registrations: Registrations,
  conductors: readonly string[],
  version: number,
): Registrations {
  const admitted = registrations.joining.filter((each) => conductors.includes(each.conductor));
  return {
    active: [...registrations.active, ...admitted.map((each) => ({ ...each, sinceVersion: version }))],
    joining: registrations.joining.filter((each) => !conductors.includes(each.conductor)),
  };
}
