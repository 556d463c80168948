/** What SQLite's result codes mean to a caller: it happened, it did not, or nobody knows. */
import { StoreUnavailableError, StoreUnknownError } from "@greco/ports";

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  // The low byte is the primary code, the rest the reason.
  return error.errcode & 0xff;
}

export function isSqlite(error: unknown): boolean {
  return resultCode(error) !== undefined;
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** Nothing took effect. */
export function notDone(error: unknown): StoreUnavailableError {
  return new StoreUnavailableError("the embedded store could not carry it out; nothing was changed", {
    cause: error,
  });
}

/** The commit itself failed: it may be in the file or not (§4.4). */
export function unknown(error: unknown): StoreUnknownError {
  return new StoreUnknownError("the commit failed; it may have taken effect: read back", { cause: error });
}
