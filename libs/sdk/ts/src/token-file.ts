/** A token in a file, which whoever issues tokens replaces before the old one expires. */
import { readFile, stat } from "node:fs/promises";
import { monotonicMs } from "./time.ts";

const CHECK_EVERY_MS = 1_000;

/** For `ConnectionOptions.token`: reads the file again when it has changed. */
export function tokenFromFile(path: string): () => Promise<string> {
  let token: string | undefined;
  let stamp: string | undefined;
  let checkedMs = 0;
  return async () => {
    if (token !== undefined && monotonicMs() - checkedMs < CHECK_EVERY_MS) return token;
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    const now = `${mtimeNs} ${size} ${ino}`;
    if (token === undefined || now !== stamp) {
      token = (await readFile(path, "utf8")).trim();
      stamp = now;
    }
    checkedMs = monotonicMs();
    return token;
  };
}
