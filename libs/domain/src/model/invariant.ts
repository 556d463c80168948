/** A programmer's error: the process must not go on with a broken promise (STYLE 10). The edge crashes on it. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** `invariant(next > current, "I7: epochs in a lane only grow")` */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
