import type { KeyObject } from "node:crypto";
import jwt from "jsonwebtoken";
import type { PublicKey, TokenSigner } from "./ports.ts";

/** Signs access tokens: ES256, with the claims that every service checks by itself. */
export function createTokenSigner(options: {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly keys: readonly PublicKey[];
  readonly issuer: string;
  readonly audience: string;
  readonly ttlSeconds: number;
  readonly newId: () => string;
}): TokenSigner {
  const { kid, privateKey, keys, issuer, audience, ttlSeconds, newId } = options;
  return {
    keys,
    sign({ userId, sessionId, deviceId, platform }, nowMs) {
      const iat = Math.floor(nowMs / 1000);
      const exp = iat + ttlSeconds;
      const claims = {
        iss: issuer,
        aud: audience,
        sub: userId,
        sid: sessionId,
        did: deviceId,
        plat: platform,
        iat,
        exp,
        jti: newId(),
      };
      return { token: jwt.sign(claims, privateKey, { algorithm: "ES256", keyid: kid }), expireMs: exp * 1000 };
    },
  };
}
