/** K3: what had no answer may land after its sender has given it up. */
import type { Workshop } from "./make-function.ts";
import { RegionError } from "./region.ts";

/** A write without an answer gets its quiet time before whoever asked goes on, or lets others go on. */
export async function awaited(
  { clock, limits }: Pick<Workshop, "clock" | "limits">,
  write: () => Promise<void>,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (error instanceof RegionError && error.kind === "unknown")
      await clock.sleep(limits.quietMs, new AbortController().signal);
    throw error;
  }
}
