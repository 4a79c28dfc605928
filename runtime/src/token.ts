import { createPublicKey, hash, type KeyObject } from "node:crypto";
import jwt from "jsonwebtoken";
import { shared } from "./fail.ts";
import type { Caller } from "./handlers.ts";

/** A public key as a JSON Web Key Set holds it. */
export interface PublicJwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y: string;
  readonly kid: string;
}

/** A token that was found good. */
export interface VerifiedToken {
  readonly caller: Caller;
  /** When it expires, in milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** Checks access tokens. Rejects with TOKEN_INVALID, or UNAVAILABLE while there are no keys to check with. */
export type TokenVerifier = (token: string) => Promise<VerifiedToken>;

export interface TokenVerifierOptions {
  /** Fetches the keys that tokens may be signed with now. */
  readonly fetchKeys: () => Promise<readonly PublicJwk[]>;
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Keys are fetched again after this time; auth publishes a key five minutes before it signs with it. */
const KEYS_FRESH_MS = 120_000;
/** An unknown key id makes us look again, but not more often than this: anybody can invent key ids. */
const KEYS_LOOK_AGAIN_MS = 5_000;
/** The edge allows the same leeway for clocks that differ. */
const LEEWAY_SECONDS = 30;
/** Verified tokens that are remembered by their hash: checking a signature costs 80 µs, a look-up 1. */
const REMEMBERED = 10_000;
/** An ES256 token of ours is about 500 bytes. */
const MAX_TOKEN_LENGTH = 4096;

/** Makes a verifier that keeps keys and good tokens in bounded memory. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const keyOf = createKeyring(options);
  const remembered = new Map<string, VerifiedToken>();
  return async (token) => {
    if (token === "" || token.length > MAX_TOKEN_LENGTH) throw shared.tokenInvalid("an access token is required");
    const digest = hash("sha256", token, "base64");
    const known = remembered.get(digest);
    if (known !== undefined) {
      if (known.expiresAtMs + LEEWAY_SECONDS * 1000 > options.now()) return known;
      remembered.delete(digest);
      throw shared.tokenInvalid("the access token has expired");
    }
    const key = await keyOf(kidOf(token));
    const verified = verify(token, key, options);
    if (remembered.size >= REMEMBERED)
      for (const oldest of remembered.keys()) {
        remembered.delete(oldest);
        break;
      }
    remembered.set(digest, verified);
    return verified;
  };
}

function createKeyring({ fetchKeys, now }: TokenVerifierOptions): (kid: string) => Promise<KeyObject> {
  let keys = new Map<string, KeyObject>();
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;
  const refresh = async () => {
    const fetched = await fetchKeys();
    keys = new Map(
      fetched.map(({ kty, crv, x, y, kid }) => [kid, createPublicKey({ key: { kty, crv, x, y }, format: "jwk" })]),
    );
    fetchedAtMs = now();
  };
  return async (kid) => {
    const ageMs = now() - fetchedAtMs;
    const known = keys.get(kid);
    if (ageMs > KEYS_FRESH_MS || (known === undefined && ageMs > KEYS_LOOK_AGAIN_MS)) {
      fetching ??= refresh().finally(() => {
        fetching = undefined;
      });
      try {
        await fetching;
      } catch (error) {
        // Old keys stay good while auth is away; without any, "invalid" would log users out.
        if (known === undefined) throw shared.unavailable("the signing keys can't be fetched", error);
      }
    }
    const key = keys.get(kid);
    if (key === undefined) throw shared.tokenInvalid("the access token is signed by an unknown key");
    return key;
  };
}

function kidOf(token: string): string {
  const decoded = jwt.decode(token, { complete: true });
  const kid = decoded?.header.kid;
  if (typeof kid !== "string" || kid.length > 128) throw shared.tokenInvalid("the access token is malformed");
  return kid;
}

function verify(token: string, key: KeyObject, { issuer, audience, now }: TokenVerifierOptions): VerifiedToken {
  let claims: string | jwt.JwtPayload;
  try {
    claims = jwt.verify(token, key, {
      algorithms: ["ES256"],
      issuer,
      audience,
      clockTolerance: LEEWAY_SECONDS,
      clockTimestamp: Math.floor(now() / 1000),
    });
  } catch (error) {
    throw shared.tokenInvalid(
      error instanceof jwt.TokenExpiredError ? "the access token has expired" : "the access token is invalid",
      error,
    );
  }
  if (typeof claims === "string") throw shared.tokenInvalid("the access token is malformed");
  const { sub, sid, did, plat, exp } = claims;
  if (typeof sub !== "string" || typeof sid !== "string" || typeof did !== "string" || typeof exp !== "number") {
    throw shared.tokenInvalid("the access token lacks a claim");
  }
  const caller = { userId: sub, sessionId: sid, deviceId: did, platform: typeof plat === "string" ? plat : "" };
  return { caller, expiresAtMs: exp * 1000 };
}

/** The token of an `authorization` header. */
export function bearerOf(header: string | null | undefined): string {
  const match = /^Bearer ([\x21-\x7e]+)$/i.exec(header ?? "");
  return match?.[1] ?? "";
}
