/** For clusters that were opened with `startsNothing`. */
import type { Cluster } from "./cluster.ts";

/** Resolves when all serve but those named. */
export async function startAllBut(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = cluster.apps.filter(({ name }) => !names.includes(name));
  await Promise.all(wanted.map((app) => app.start(signal)));
}
