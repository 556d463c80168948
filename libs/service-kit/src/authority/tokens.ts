/**
 * Tokens: JWTs signed with Ed25519 (RFC 8037), by `jose`. A person's token names the person; a part of Greco's also
 * says, in the claim `service`, which part it is.
 *
 * T1. Only our algorithm, issuer and audience count, within the token's time.
 * T2. A token that was verified is remembered until it expires or the keys change; so a call costs a look-up, not a
 *     signature. What is remembered is bounded.
 */
import { isSegment } from "@greco/domain/model";
import type { Clock } from "@greco/ports";
import { createLocalJWKSet, errors, importJWK, jwtVerify, SignJWT, type JSONWebKeySet, type JWK } from "jose";
import { fault, type Fault } from "../fault.ts";
import type { Caller, ServiceKind } from "./caller.ts";

const ALGORITHM = "EdDSA";
const ISSUER = "greco";
const AUDIENCE = "greco";
/** Ours have some 300 characters. */
const TOKEN_LENGTH_MAX = 4096;
/** Clocks of machines differ by less. */
const CLOCK_TOLERANCE_S = 30;
const REMEMBERED_MAX = 10_000;

export type TokenClaims = {
  /** `[a-z0-9-]{1,63}` */
  readonly subject: string;
  readonly service?: { readonly kind: ServiceKind; readonly name: string };
  readonly ttlMs: number;
};

/** `key` is a private Ed25519 key as JWK, with a `kid`. */
export async function issueToken(
  key: JWK,
  claims: TokenClaims,
  clock: Pick<Clock, "nowMs">,
): Promise<string> {
  const { subject, service, ttlMs } = claims;
  const nowS = Math.floor(clock.nowMs() / 1000);
  return await new SignJWT(service === undefined ? {} : { service: { ...service } })
    .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", ...(key.kid === undefined ? {} : { kid: key.kid }) })
    .setSubject(subject)
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + Math.ceil(ttlMs / 1000))
    .sign(await importJWK(key, ALGORITHM));
}

export interface TokenVerifier {
  /** Throws UNAUTHENTICATED, saying what is wrong with the token. */
  verify(token: string): Caller | Promise<Caller>;
}

/** Where public keys come from. A change of `current`'s answer is a change of the keys. */
export interface KeySource {
  /** At most a moment old: a source of files looks at them again now and then. */
  current(): JSONWebKeySet | Promise<JSONWebKeySet>;
}

export function fixedKeys(keys: JSONWebKeySet): KeySource {
  return { current: () => keys };
}

export function tokenVerifier(source: KeySource, clock: Pick<Clock, "nowMs">): TokenVerifier {
  let keys: JSONWebKeySet | undefined;
  let keyOf = createLocalJWKSet({ keys: [] });
  let remembered = new Map<string, { readonly caller: Caller; readonly expiresMs: number }>();

  function verifyWith(current: JSONWebKeySet, token: string): Caller | Promise<Caller> {
    if (current !== keys) {
      keys = current;
      keyOf = createLocalJWKSet(current);
      remembered = new Map();
    }
    const known = remembered.get(token);
    if (known !== undefined && clock.nowMs() < known.expiresMs) return known.caller;
    return verifyAnew(token, current);
  }

  async function verifyAnew(token: string, current: JSONWebKeySet): Promise<Caller> {
    if (token.length > TOKEN_LENGTH_MAX)
      throw fault.unauthenticated(
        "TOKEN_MALFORMED",
        `the token is longer than ${TOKEN_LENGTH_MAX} characters`,
      );
    const { payload } = await jwtVerify(token, keyOf, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ["sub", "exp"],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(clock.nowMs()),
    }).catch((error: unknown) => {
      throw refused(error);
    });
    const caller = callerOf(payload.sub, payload["service"]);
    // T2: the oldest goes first; and only what the present keys have verified is remembered.
    if (current === keys) {
      for (const oldest of remembered.keys()) {
        if (remembered.size < REMEMBERED_MAX) break;
        remembered.delete(oldest);
      }
      remembered.set(token, { caller, expiresMs: ((payload.exp ?? 0) + CLOCK_TOLERANCE_S) * 1000 });
    }
    return caller;
  }

  return {
    verify(token) {
      const current = source.current();
      return current instanceof Promise
        ? current.then((each) => verifyWith(each, token))
        : verifyWith(current, token);
    },
  };
}

function callerOf(subject: string | undefined, service: unknown): Caller {
  if (subject === undefined || !isSegment(subject))
    throw fault.unauthenticated(
      "TOKEN_CLAIMS",
      "the token's subject is not [a-z0-9-]{1,63}: ask for another token",
    );
  if (service === undefined) return { subject };
  const { kind, name } = Object(service) as { readonly kind?: unknown; readonly name?: unknown };
  if (!isServiceKind(kind) || typeof name !== "string" || !isSegment(name))
    throw fault.unauthenticated(
      "TOKEN_CLAIMS",
      "the token's claim `service` names no part of Greco: ask for another",
    );
  return { subject, service: { kind, name } };
}

function isServiceKind(kind: unknown): kind is ServiceKind {
  return kind === "conductor" || kind === "control" || kind === "runtime";
}

function refused(error: unknown): Fault {
  if (error instanceof errors.JWTExpired)
    return fault.unauthenticated("TOKEN_EXPIRED", "the token has expired: get a new one", { cause: error });
  if (error instanceof errors.JWTClaimValidationFailed)
    return fault.unauthenticated("TOKEN_CLAIMS", `the token is not one of Greco's: ${error.message}`, {
      cause: error,
    });
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed)
    return fault.unauthenticated("TOKEN_KEY", "the token is not signed by a key known here: get a new one", {
      cause: error,
    });
  return fault.unauthenticated("TOKEN_MALFORMED", "the token cannot be read: send a JWT of Greco's", {
    cause: error,
  });
}
