/** Bounds of the app, each with the reason for its value; those of the kit are `RuntimeLimits`. */
export const RUNTIME_APP_LIMITS = {
  /** A process that pauses for two of these (garbage, a busy machine) must not lose its lanes. The same for all who
   *  read, write or seal in a model; a dead runtime's lanes are sealed after four. */
  leaseMs: 3_000,
  /** How soon a model that is new to the data plane is found. */
  modelsPollMs: 250,
} as const;
