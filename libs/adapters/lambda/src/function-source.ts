/** The text of what runs in AWS, made once a process. */
import { bundledFunction } from "./bundled-function.at-build.ts";

let made: Promise<string> | undefined;

/** Our code with the expression library, in one ES module; the same from every checkout, and from a build. */
export async function functionSource(signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  made ??= bundledFunction();
  try {
    return await made;
  } catch (error) {
    made = undefined;
    throw error;
  }
}
