import type { Clock } from "@greco/ports";
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK, type JWTPayload } from "jose";
import { expect, it } from "vitest";
import { fixedKeys, issueToken, tokenVerifier, type KeySource } from "./tokens.ts";

function settableClock(nowMs: number): Pick<Clock, "nowMs"> & { set(ms: number): void } {
  let now = nowMs;
  return { nowMs: () => now, set: (ms) => (now = ms) };
}

async function keyPair(kid: string): Promise<{ signing: JWK; verifying: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return {
    signing: { ...(await exportJWK(privateKey)), kid },
    verifying: { ...(await exportJWK(publicKey)), kid },
  };
}

const ttlMs = 60_000;

it("I14: takes a person's and a part's token for what they say", async () => {
  const clock = settableClock(1_700_000_000_000);
  const { signing, verifying } = await keyPair("a");
  const verifier = tokenVerifier(fixedKeys({ keys: [verifying] }), clock);
  expect(await verifier.verify(await issueToken(signing, { subject: "ada", ttlMs }, clock))).toEqual({
    subject: "ada",
  });
  const service = { kind: "conductor", name: "worker" } as const;
  const token = await issueToken(signing, { subject: "worker", service, ttlMs }, clock);
  expect(await verifier.verify(token)).toEqual({ subject: "worker", service });
});

it("I14: refuses a token past its time, also one that it remembers", async () => {
  const clock = settableClock(1_700_000_000_000);
  const { signing, verifying } = await keyPair("a");
  const verifier = tokenVerifier(fixedKeys({ keys: [verifying] }), clock);
  const token = await issueToken(signing, { subject: "ada", ttlMs }, clock);
  await verifier.verify(token);
  clock.set(1_700_000_000_000 + ttlMs + 31_000);
  await expect(verifier.verify(token)).rejects.toMatchObject({
    kind: "unauthenticated",
    reason: "TOKEN_EXPIRED",
  });
});

it("I14: refuses a token of another key, a changed one, one without signature and what is none", async () => {
  const clock = settableClock(1_700_000_000_000);
  const { signing, verifying } = await keyPair("a");
  const stranger = await keyPair("a");
  const verifier = tokenVerifier(fixedKeys({ keys: [verifying] }), clock);
  const good = await issueToken(signing, { subject: "ada", ttlMs }, clock);
  const [header = "", , signature = ""] = good.split(".");
  const claims = { sub: "root", iss: "greco", aud: "greco", exp: 1_700_000_060 };
  const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
  const none = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url");
  const bad: [token: string, reason: string][] = [
    [await issueToken(stranger.signing, { subject: "ada", ttlMs }, clock), "TOKEN_KEY"],
    [`${header}.${payload}.${signature}`, "TOKEN_KEY"],
    [`${none}.${payload}.`, "TOKEN_MALFORMED"],
    [
      await new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", kid: "a" })
        .sign(Buffer.from(verifying.x ?? "")),
      "TOKEN_MALFORMED",
    ],
    ["not.a.token", "TOKEN_MALFORMED"],
    ["x".repeat(10_000), "TOKEN_MALFORMED"],
  ];
  for (const [token, reason] of bad)
    await expect(verifier.verify(token), token.slice(0, 20)).rejects.toMatchObject({
      kind: "unauthenticated",
      reason,
    });
});

it("I14: refuses claims that are not Greco's", async () => {
  const clock = settableClock(1_700_000_000_000);
  const { signing, verifying } = await keyPair("a");
  const verifier = tokenVerifier(fixedKeys({ keys: [verifying] }), clock);
  const base = { sub: "ada", iss: "greco", aud: "greco", exp: 1_700_000_060 };
  const key = await importJWK(signing, "EdDSA");
  for (const claims of [
    { ...base, iss: "other" },
    { ...base, aud: "other" },
    { ...base, exp: undefined },
    { ...base, sub: "models/m" },
    { ...base, sub: "Ada" },
    { ...base, service: { kind: "admin", name: "x" } },
    { ...base, service: { kind: "conductor", name: "../x" } },
    { ...base, service: null },
  ]) {
    const token = await new SignJWT(claims as JWTPayload)
      .setProtectedHeader({ alg: "EdDSA", kid: "a" })
      .sign(key);
    await expect(verifier.verify(token), JSON.stringify(claims)).rejects.toMatchObject({
      reason: "TOKEN_CLAIMS",
    });
  }
});

it("I14: forgets what it verified when the keys change", async () => {
  const clock = settableClock(1_700_000_000_000);
  const [first, second] = [await keyPair("a"), await keyPair("b")];
  let keys = { keys: [first.verifying] };
  const source: KeySource = { current: () => keys };
  const verifier = tokenVerifier(source, clock);
  const token = await issueToken(first.signing, { subject: "ada", ttlMs }, clock);
  expect(await verifier.verify(token)).toEqual({ subject: "ada" });
  // Remembered: no promise, so no signature was checked.
  expect(verifier.verify(token)).toEqual({ subject: "ada" });
  keys = { keys: [second.verifying] };
  await expect(verifier.verify(token)).rejects.toMatchObject({ reason: "TOKEN_KEY" });
  keys = { keys: [second.verifying, first.verifying] };
  expect(await verifier.verify(token)).toEqual({ subject: "ada" });
});
