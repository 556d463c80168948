/**
 * Keys in files, re-read when they change, so that keys are rotated without a restart.
 *
 * The public keys are a JWK set (RFC 7517), the signing key is one private JWK, readable by its owner alone.
 */
import { link, mkdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "@greco/ports";
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from "jose";
import { systemIds } from "../ids.ts";
import { issueToken, type KeySource, type TokenClaims } from "./tokens.ts";

/** A key that was taken out is refused within this time. */
const CHECK_EVERY_MS = 1_000;

/** Rejects when there are no readable keys at the start; later a file that is broken is logged and the keys stay. */
export async function keysFromFile(path: string, clock: Clock, log: Log): Promise<KeySource> {
  let stamp = await stampOf(path);
  let keys = await readKeys(path);
  let checkedMs = clock.monotonicMs();
  let checking: Promise<JSONWebKeySet> | undefined;

  async function check(): Promise<JSONWebKeySet> {
    try {
      const now = await stampOf(path);
      if (now !== stamp) {
        keys = await readKeys(path);
        stamp = now;
        log.info("keys.changed", { path, kids: keys.keys.map(({ kid }) => kid) });
      }
    } catch (error) {
      log.error("keys.unreadable", { path, error, consequence: "the keys read before stay in force" });
    } finally {
      checkedMs = clock.monotonicMs();
      checking = undefined;
    }
    return keys;
  }

  return {
    current() {
      if (clock.monotonicMs() - checkedMs < CHECK_EVERY_MS) return keys;
      checking ??= check();
      return checking;
    },
  };
}

async function stampOf(path: string): Promise<string> {
  const { mtimeNs, size, ino } = await stat(path, { bigint: true });
  return `${mtimeNs} ${size} ${ino}`;
}

async function readKeys(path: string): Promise<JSONWebKeySet> {
  const set = JSON.parse(await readFile(path, "utf8")) as Partial<JSONWebKeySet>;
  if (!Array.isArray(set.keys) || set.keys.length === 0)
    throw new Error(
      `${path} holds no keys: it must be a JWK set, {"keys": [{"kty": "OKP", "crv": "Ed25519", …}]}`,
    );
  // A private part has no business here, and must not end in a log.
  return { keys: set.keys.map(({ d: _private, ...key }) => key) };
}

export type DevKeys = {
  /** The JWK set for `keysFromFile`. */
  readonly keysFile: string;
  issue(claims: Omit<TokenClaims, "ttlMs"> & { readonly ttlMs?: number }): Promise<string>;
};

const DEV_TTL_MS = 30 * 24 * 60 * 60 * 1000;

/** Keys for a machine's own use, made in `dir` when they are not there yet. */
export async function createDevKeys(dir: string, clock: Pick<Clock, "nowMs">): Promise<DevKeys> {
  const keysFile = join(dir, "keys.json");
  const signingFile = join(dir, "signing-key.json");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  let signing = await readSigningKey(signingFile);
  if (signing === undefined) {
    const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
    const made: JWK = { ...(await exportJWK(privateKey)), kid: systemIds.next(), alg: "EdDSA" };
    signing = (await createFile(signingFile, JSON.stringify(made), 0o600))
      ? made
      : await readSigningKey(signingFile);
  }
  if (signing === undefined) throw new Error(`${signingFile} was removed while it was made: try again`);
  const { d: _private, ...verifying } = signing;
  const set = JSON.stringify({ keys: [verifying] });
  // Left alone when it is right already: others watch it.
  if ((await readIfThere(keysFile)) !== set) await replaceFile(keysFile, set, 0o644);
  const key = signing;
  return {
    keysFile,
    issue: ({ ttlMs = DEV_TTL_MS, ...claims }) => issueToken(key, { ...claims, ttlMs }, clock),
  };
}

async function readSigningKey(path: string): Promise<JWK | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const key = JSON.parse(text) as JWK;
  if (key.crv !== "Ed25519" || key.d === undefined)
    throw new Error(`${path} is no private Ed25519 key: remove it, and a new one is made`);
  return key;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** False when another process was faster: its file stands. */
async function createFile(path: string, text: string, mode: number): Promise<boolean> {
  const temporary = `${path}.${systemIds.next()}`;
  await writeFile(temporary, text, { mode });
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

/** Whole or not at all: a reader never sees half a key. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${systemIds.next()}`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, path);
}
