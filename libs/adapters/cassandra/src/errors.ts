/**
 * What the driver's errors mean to a caller of a port. Reads have no effect, so their trouble is "unavailable"; a write
 * that was sent may have taken effect at any later moment too, whatever went wrong: "unknown" (STYLE 10).
 */
import { errors, types } from "cassandra-driver";
import { StoreUnavailableError, StoreUnknownError } from "@greco/ports";

const { responseErrorCodes: codes } = types;

/** Answers that say: this request will never work. */
const MISTAKES: readonly number[] = [
  codes.protocolError,
  codes.badCredentials,
  codes.syntaxError,
  codes.unauthorized,
  codes.invalid,
  codes.configError,
  codes.alreadyExists,
];

function isMistake(error: unknown): boolean {
  if (error instanceof errors.ResponseError) return MISTAKES.includes(error.code);
  return error instanceof TypeError || error instanceof RangeError || error instanceof errors.ArgumentError;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function readError(error: unknown): unknown {
  if (isMistake(error)) return error;
  return new StoreUnavailableError(`Cassandra did not answer a read: ${reasonOf(error)}`, { cause: error });
}

/** No node was there to send it to. */
const isUnsent = (error: unknown): boolean =>
  error instanceof errors.NoHostAvailableError && Object.keys(error.innerErrors ?? {}).length === 0;

export function writeError(error: unknown): unknown {
  if (isMistake(error)) return error;
  if (isUnsent(error))
    return new StoreUnavailableError(`Cassandra cannot be reached: ${reasonOf(error)}`, { cause: error });
  return new StoreUnknownError(`Cassandra did not confirm a write: ${reasonOf(error)}`, { cause: error });
}
